import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, ROOT_KEY } from '../support/instance.ts';

let database: TestDatabase;
let instance: Instance;
let port: number;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url);
  await instance.service.app.listen({ host: '127.0.0.1', port: 0 });
  const address = instance.service.app.server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  port = address.port;
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

const ROOT = ['Authorization', `Bearer ${ROOT_KEY}`];

function send(path: string, headers: string[]): Promise<{ status?: number; body: unknown }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status?: number; body: unknown }>();
  const all = ['Host', 'a', 'Connection', 'close', 'Content-Type', 'application/json', ...headers];
  const sent = request({ host: '127.0.0.1', port, path, method: 'POST', headers: all });
  sent.on('error', reject).on('response', async (response) => {
    resolve({ status: response.statusCode ?? 0, body: await json(response) });
  });
  sent.end(JSON.stringify(path === '/v1/verify' ? { key: 'x' } : { name: 'x' }));
  return promise;
}

it.each([
  ['/v1/keys', 'authorization', [...ROOT, 'authorization', 'Bearer other']],
  ['/v1/verify', 'authorization', [...ROOT, 'authorization', 'Bearer other']],
  ['/v1/keys', 'keyward-actor', [...ROOT, 'Keyward-Actor', 'a', 'keyward-actor', 'b']],
  ['/v1/keys', 'idempotency-key', [...ROOT, 'Idempotency-Key', 'a', 'idempotency-key', 'b']],
])('%s refuses two %s headers with different values', async (path, name, headers) => {
  expect(await send(path, headers)).toMatchObject({
    status: 400,
    body: { code: 'INVALID_REQUEST', errors: [{ pointer: `/headers/${name}` }] },
  });
});

it('a header that is sent twice with one value counts as one', async () => {
  const actor = ['Keyward-Actor', 'user:1', 'Keyward-Actor', 'user:1'];
  expect(await send('/v1/keys', [...ROOT, ...ROOT, ...actor])).toMatchObject({ status: 201 });
  const { body } = await instance.call('GET', '/v1/audit-events?limit=1');
  expect(JSON.stringify(body)).toContain('"onBehalfOf":"user:1"');
});

it('the root path says what answers there and where its documentation is', async () => {
  expect(await instance.call('GET', '/', { as: null })).toMatchObject({
    status: 200,
    body: { service: 'keyward', docs: '/docs', openapi: '/openapi.json' },
  });
});
