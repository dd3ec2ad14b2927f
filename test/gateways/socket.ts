import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Line } from './http.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
/** HAProxy refuses an upgrade to a websocket without these. */
export const HANDSHAKE: Line[] = [
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', KEY],
];
const ASKS: Line[] = [['Connection', 'Upgrade'], ['Upgrade', 'websocket'], ...HANDSHAKE];

/** 101 and a connection, or how it was refused. */
export interface Opened {
  status: number | undefined;
  /** Sends bytes, and returns as many of those that come back. */
  echo: (text: string) => Promise<string>;
}

/** The server's part of RFC 6455's opening; what follows is echoed, frames or not. */
export function accept(key: string | undefined, socket: Duplex): void {
  const proof = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  const head = ['101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
  socket.write(`HTTP/1.1 ${head.join('\r\n')}\r\nSec-WebSocket-Accept: ${proof}\r\n\r\n`);
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
}

export async function openSocket(
  port: number,
  path: string,
  headers: readonly Line[],
): Promise<Opened> {
  const lines = [['Host', 'api.example.com'], ...headers, ...ASKS].flat();
  const call = request({ host: '127.0.0.1', port, path, headers: lines, agent: false });
  call.on('error', () => {});
  call.end();
  const [response, socket]: [IncomingMessage, Duplex?] = await Promise.race([
    once(call, 'upgrade'),
    once(call, 'response'),
  ]).then(([first, second]) => [first, second]);
  if (!socket) response.resume();
  return { status: response.statusCode, echo: (text) => echoOf(socket, text) };
}

async function echoOf(socket: Duplex | undefined, text: string): Promise<string> {
  if (!socket) throw new Error('the upgrade was refused');
  socket.write(text);
  let answer = '';
  for await (const chunk of socket.setEncoding('utf8')) {
    answer += chunk;
    if (answer.length >= text.length) break;
  }
  return answer;
}
