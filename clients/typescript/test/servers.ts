import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { serve } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Keyward, KeywardError } from '@keyward/client';
import { requireKey as requireKeyOfExpress } from '@keyward/client/express';
import { requireKey as requireKeyOfFastify } from '@keyward/client/fastify';
import { requireKey as requireKeyOfHono } from '@keyward/client/hono';
import { requireKey as requireKeyOfNode } from '@keyward/client/node';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';

/** A server whose `/orders/:project` requires a key, and answers with the key's owner. */
export interface Guarded {
  url: string;
  close: () => Promise<void>;
}

type Start = (keyward: Keyward, onError: (error: KeywardError) => void) => Promise<Guarded>;

const scopes = ['orders:read'];

/** One of each framework, with the same rules. */
export const SERVERS: Record<string, Start> = {
  Fastify: async (keyward, onError) => {
    const app = Fastify({ routerOptions: { maxParamLength: 500 } });
    const onRequest = requireKeyOfFastify<{ Params: { project: string } }>({
      ...{ keyward, scopes, onError },
      resource: ({ params }) => `project:${params.project}`,
    });
    app.get<{ Params: { project: string } }>('/orders/:project', { onRequest }, (call) => ({
      owner: call.apiKey?.ownerId,
    }));
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    return { url, close: () => app.close() };
  },
  Express: async (keyward, onError) => {
    const app = express();
    const guard = requireKeyOfExpress<{ project: string }>({
      ...{ keyward, scopes, onError },
      resource: ({ params }) => `project:${params.project}`,
    });
    app.get('/orders/:project', guard, (call, response) => {
      response.json({ owner: call.apiKey?.ownerId });
    });
    return listen(createServer(app));
  },
  Hono: async (keyward, onError) => {
    const app = new Hono();
    const guard = requireKeyOfHono({
      ...{ keyward, scopes, onError },
      resource: (c) => `project:${c.req.param('project')}`,
      ip: (c) => getConnInfo(c).remote.address,
    });
    app.get('/orders/:project', guard, (c) => c.json({ owner: c.get('apiKey').ownerId }));
    const { promise, resolve } = Promise.withResolvers<string>();
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
      resolve(`http://127.0.0.1:${port}`),
    );
    const close = () => new Promise<void>((end) => server.close(() => end()));
    return { url: await promise, close };
  },
  'node:http': async (keyward, onError) => {
    const guard = requireKeyOfNode({
      ...{ keyward, scopes, onError },
      resource: ({ url = '' }) => `project:${decodeURIComponent(url.split('/')[2] ?? '')}`,
    });
    return listen(
      createServer(async (call, response) => {
        const verdict = await guard(call, response);
        if (verdict === null) return;
        response.end(JSON.stringify({ owner: verdict.ownerId }));
      }),
    );
  },
};

async function listen(server: Server): Promise<Guarded> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('a server has an address');
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { url: `http://127.0.0.1:${address.port}`, close };
}

export interface Seen {
  status: number | undefined;
  headers: IncomingMessage['headers'];
  code: string | undefined;
  owner: string | undefined;
}

/** Nothing listens there. */
export async function freePort(): Promise<number> {
  const { url, close } = await listen(createServer());
  await close();
  return Number(new URL(url).port);
}

/** Headers as they are sent, names and values in turn. */
export async function get(url: string, headers: readonly string[] = []): Promise<Seen> {
  const { host } = new URL(url);
  const sent = request(url, { headers: ['host', host, 'connection', 'close', ...headers] }).end();
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (!response) throw new Error('an answer has come');
  const { code, owner } = JSON.parse(await text(response));
  return { status: response.statusCode, headers: response.headers, code, owner };
}
