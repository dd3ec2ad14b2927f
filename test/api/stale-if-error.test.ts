import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { warmKey } from '../support/warm.ts';

const STALE_MS = 2000;
/** While the database is away, it is tried again after this time. */
const RETRY_MS = 100;

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
    await warmKey(key, instance);
    proxy.cut();
    expect((await verify(key)).body).toMatchObject({ valid: true, code: 'VALID', stale: true });
    expect((await verify(unseen.key)).status).toBe(503);
  });

  it('the cache answers no longer than the operator allows, in each outage', async () => {
    const proxy = await start(STALE_MS);
    const { key } = await create({});
    // Time stands still, and moves only when it is told to.
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const answer = async () => {
      const { status, body } = await verify(key);
      return status === 200 ? body.stale : status;
    };
    for (let outage = 0; outage < 2; outage++) {
      await warmKey(key, instance);
      proxy.cut();
      expect(await answer()).toBe(true);
      vi.advanceTimersByTime(STALE_MS - 1);
      expect(await answer()).toBe(true);
      vi.advanceTimersByTime(1);
      expect(await answer()).toBe(503);
      proxy.restore();
      for (let now = await answer(); now !== false; now = await answer()) {
        expect(now).toBe(503);
        vi.advanceTimersByTime(RETRY_MS);
      }
    }
  });

  it('a key with limits or credits is never answered from the cache during an outage', async () => {
    const proxy = await start(60_000);
    const { key } = await create({ credits: { remaining: 50 } });
    await warmKey(key, instance);
    proxy.cut();
    expect((await verify(key)).status).toBe(503);
  });
});
