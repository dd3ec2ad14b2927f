import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { onTestFinished } from 'vitest';

export interface Received {
  headers: IncomingHttpHeaders;
  body: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape
  event: any;
}

export interface Receiver {
  url: string;
  port: number;
  received: Received[];
  /** How many connections were made to it. */
  connections: () => number;
}

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

/** What a receiver answers; while the promise is pending, it hangs. */
export type Answering = (received: Received) => Promise<Answer> | Answer;

/** A receiver of webhooks on loopback, closed when the test ends. */
export async function startReceiver(
  answer: Answering = () => ({ status: 204 }),
  { host = '127.0.0.1', port = 0 }: { host?: string; port?: number } = {},
): Promise<Receiver> {
  const received: Received[] = [];
  let connections = 0;
  const server = createServer(async (request, reply) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const one = { headers: request.headers, body, event: body === '' ? null : JSON.parse(body) };
    received.push(one);
    const { status, headers = {}, body: text = '' } = await answer(one);
    reply.writeHead(status, headers).end(text);
  });
  server.on('connection', () => {
    connections++;
  });
  server.listen(port, host);
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the receiver listens');
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${shown}:${address.port}/events`,
    port: address.port,
    received,
    connections: () => connections,
  };
}

/** As a receiver does that is written with the library of Standard Webhooks. Throws if it is not from us. */
export function verifySigned({ headers, body }: Received, secret: string): unknown {
  return new Webhook(secret).verify(body, headersOf(headers));
}

/** Without a look at the receiver's own clock, for tests that move that of the service. */
export function isSignedBy({ headers, body }: Received, secret: string): boolean {
  const sent = headersOf(headers);
  const at = new Date(Number(sent['webhook-timestamp']) * 1000);
  const expected = new Webhook(secret).sign(sent['webhook-id'] ?? '', at, body);
  return (sent['webhook-signature'] ?? '').split(' ').includes(expected);
}

function headersOf(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
