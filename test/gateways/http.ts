import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { accept } from './socket.ts';

/** The API takes longer paths than the gateways, so that these decide. */
const MAX_HEADER_BYTES = 131_072;

/** What an API behind the gateway has received. */
export interface Received {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Api {
  port: number;
  /** Requests in order. */
  received: Received[];
  close: () => void;
}

export interface Answer {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}

export type Line = readonly [name: string, value: string];

export interface Sent {
  headers?: Record<string, string> | readonly Line[];
  method?: string;
  body?: string;
  /** The address of this machine that sends it. */
  from?: string;
}

/**
 * An API that records what it receives. A path that ends in `/own/<status>` sets its status, and one
 * that ends in `/socket` is upgraded and echoes what it gets.
 */
export async function startApi(): Promise<Api> {
  const received: Received[] = [];
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    shouldUpgradeCallback: ({ url = '' }: IncomingMessage) => url.endsWith('/socket'),
  };
  const sockets = new Set<Duplex>();
  const server = createServer(options, async (incoming, response) => {
    const { method, url, headers } = incoming;
    received.push({ method, url, headers, body: await textOf(incoming) });
    response.statusCode = Number(/\/own\/(\d{3})$/.exec(url ?? '')?.[1] ?? 200);
    response.end('from the API');
  }).listen(0, '127.0.0.1');
  server.on('upgrade', ({ method, url, headers }, socket) => {
    received.push({ method, url, headers, body: '' });
    sockets.add(socket);
    accept(headers['sec-websocket-key'], socket);
  });
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the API listens');
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
  };
  return { port: address.port, received, close };
}

/** Sends the path and the headers as they are, repeated headers too: fetch would change them. */
export async function send(port: number, path: string, sent: Sent = {}): Promise<Answer> {
  const { headers = {}, method = 'GET', body, from } = sent;
  const lines = [...linesOf(headers), ...framing(headers, body)];
  const call = request({
    host: '127.0.0.1',
    port,
    path,
    method,
    headers: ['Host', 'api.example.com', ...lines.flat()],
    agent: false,
    ...(from === undefined ? {} : { localAddress: from }),
  });
  // Also what comes after the answer: a server may close before it has read the body.
  call.on('error', () => {});
  call.end(body);
  const [response]: IncomingMessage[] = await once(call, 'response');
  if (!response) throw new Error('no response');
  return { status: response.statusCode, headers: response.headers, body: await textOf(response) };
}

export function linesOf(headers: Sent['headers'] = []): readonly Line[] {
  return Array.isArray(headers) ? headers : Object.entries(headers);
}

/** Node.js adds a length to some methods alone. */
function framing(headers: Sent['headers'], body: string | undefined): readonly Line[] {
  const isChunked = linesOf(headers).some(([name]) => name.toLowerCase() === 'transfer-encoding');
  return body === undefined || isChunked ? [] : [['Content-Length', String(body.length)]];
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of message.setEncoding('utf8')) text += chunk;
  return text;
}
