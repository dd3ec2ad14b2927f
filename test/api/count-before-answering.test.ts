import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

describe('with KEYWARD_USAGE_FLUSH_MS=0', () => {
  let database: TestDatabase;
  let reader: Instance;

  beforeAll(async () => {
    database = await createTestDatabase();
    reader = await launch(database.url);
  });
  afterAll(async () => {
    await reader.stop();
    await database.drop();
  });

  const create = async () => (await reader.call('POST', '/v1/keys', { body: { name: 'k' } })).body;
  const totalOf = async (id: string) => {
    await reader.service.internals.fold.foldAll();
    return (await reader.call('GET', `/v1/keys/${id}`)).body.usage.total;
  };

  it('with KEYWARD_USAGE_FLUSH_MS=0 every verification is in the database before it is answered, also many at once', async () => {
    const instance = await launch(database.url, { usageFlushMs: 0 });
    const { id, key } = await create();
    const verify = () => instance.call('POST', '/v1/verify', { body: { key } });
    await verify();
    expect(await totalOf(id)).toBe(1);
    await Promise.all(Array.from({ length: 200 }, verify));
    expect(await totalOf(id)).toBe(201);
    await instance.stop();
  });

  it('with KEYWARD_USAGE_FLUSH_MS=0 a verification that cannot be counted is not answered', async () => {
    const proxy = await TcpProxy.open(database.url);
    const instance = await launch(proxy.url, { usageFlushMs: 0 });
    const { key } = await create();
    const verify = () => instance.call('POST', '/v1/verify', { body: { key } });
    expect((await verify()).status).toBe(200);
    proxy.cut();
    expect((await verify()).status).toBe(503);
    await instance.stop();
  });

  it('with KEYWARD_USAGE_FLUSH_MS=0 what could not be counted is tried again a second later, and no sooner', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const instance = await launch(database.url, { usageFlushMs: 0 });
    instance.service.start();
    const sql = await connect(database.url);
    const { id, key } = await create();
    await sql.query('alter table usage_log rename to hidden');
    const { status } = await instance.call('POST', '/v1/verify', { body: { key } });
    expect(status).toBeGreaterThanOrEqual(500);
    const failures = () =>
      instance.logLines.filter((line) => line.includes('counters not written')).length;
    vi.advanceTimersByTime(999);
    // What would have been tried by now fails before a key is created.
    await create();
    expect(failures()).toBe(0);
    vi.advanceTimersByTime(1);
    await expect.poll(failures).toBe(1);
    await sql.query('alter table hidden rename to usage_log');
    vi.advanceTimersByTime(1000);
    await expect.poll(() => totalOf(id)).toBe(1);
    await instance.stop();
  });
});
