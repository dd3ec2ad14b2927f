import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

describe('while the database is away', () => {
  let database: TestDatabase;
  let instance: Instance;

  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await instance.stop();
    await database.drop();
  });

  const start = async (staleIfErrorMs: number) => {
    const proxy = await TcpProxy.open(database.url);
    instance = await launch(proxy.url, { staleIfErrorMs });
    return proxy;
  };
  const create = async (body: object) =>
    (await instance.call('POST', '/v1/keys', { body: { name: 'k', ...body } })).body;
  const verify = (key: string) => instance.call('POST', '/v1/verify', { body: { key } });

  it('nothing is answered from the cache during an outage unless the operator allows it', async () => {
    const proxy = await start(0);
    const { key } = await create({});
    expect((await verify(key)).body).toMatchObject({ code: 'VALID', stale: false });
    proxy.cut();
    const answer = await verify(key);
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
  });

  it('cached keys are answered and marked as stale during an outage if the operator allows it', async () => {
    const proxy = await start(60_000);
    const { key } = await create({ scopes: ['a'] });
    const unseen = await create({});
    // The fence of the first reports the new key, so that it is cached only by the second.
    await verify(key);
    await verify(key);
    proxy.cut();
    expect((await verify(key)).body).toMatchObject({ valid: true, code: 'VALID', stale: true });
    expect((await verify(unseen.key)).status).toBe(503);
  });

  it('a key with limits or credits is never answered from the cache during an outage', async () => {
    const proxy = await start(60_000);
    const { key } = await create({ credits: { remaining: 5 } });
    expect((await verify(key)).body.code).toBe('VALID');
    proxy.cut();
    expect((await verify(key)).status).toBe(503);
  });
});
