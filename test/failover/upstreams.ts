import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { onTestFinished } from 'vitest';

/** What an instance may have counted, spent or changed before it broke off. */
export const CHANGES = [
  ...['POST /v1/verify', 'POST /v1/keys', 'PATCH /v1/keys/key_1', 'PUT /v1/workspaces/acme'],
  ...['DELETE /v1/keys/key_1', 'POST /v1/authorize'],
  ...['GET /v1/authorize', 'GET /v1/authorize/orders/7'],
];

/** A server in the place of an instance. */
export interface Upstream {
  number: number;
  port: number;
  received: { request: string; headers: IncomingHttpHeaders }[];
}

/** Reads each request to its end and then does this; closed when the test ends. */
export async function startUpstream(number: number, then: RequestListener): Promise<Upstream> {
  const received: Upstream['received'] = [];
  const server = createServer((incoming, response) => {
    incoming.resume().once('end', () => {
      const { method, url, headers } = incoming;
      received.push({ request: `${method} ${url}`, headers });
      then(incoming, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('it listens on a port');
  return { number, port: address.port, received };
}

export const answers: RequestListener = (_request, response) => {
  response.setHeader('content-type', 'application/json').end('{"from":"an instance"}');
};

/** As an instance that is killed while it works. */
export const breaksOff: RequestListener = (request) => {
  request.socket.destroy();
};
