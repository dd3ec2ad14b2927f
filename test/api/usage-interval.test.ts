import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const FLUSH_MS = 7000;

describe('the writes of the counters', () => {
  let database: TestDatabase;
  let instance: Instance;

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url, { usageFlushMs: FLUSH_MS });
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });

  it('counters are written once in each configured interval', async () => {
    const { id, key } = await createKey(instance);
    const { flusher, fold } = instance.service.internals;
    const flushes = vi.spyOn(flusher, 'flush');
    const folds = vi.spyOn(fold, 'run');
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    instance.service.start();
    for (let times = 1; times <= 3; times++) {
      expect(await verdict(instance, key)).toBe('VALID');
      vi.advanceTimersByTime(FLUSH_MS - 1);
      expect(flushes).toHaveBeenCalledTimes(times - 1);
      vi.advanceTimersByTime(1);
      expect(flushes).toHaveBeenCalledTimes(times);
      await flushes.mock.results[times - 1]?.value;
      await new Promise((resolve) => setImmediate(resolve));
      await Promise.all(folds.mock.results.map(({ value }) => value));
      await fold.foldAll();
      const { body } = await instance.call('GET', `/v1/keys/${id}`);
      expect(body.usage.total).toBe(times);
    }
  });
});
