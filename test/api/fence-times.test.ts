import { setImmediate } from 'node:timers/promises';
import type pg from 'pg';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { type CacheFixture, startCacheFixture } from '../support/cache-fixture.ts';
import { createTestDatabase } from '../support/database.ts';
import { interceptQuery } from '../support/statements.ts';

/** Time stands still here, and moves only when it is told to. */
let fixture: CacheFixture;
let answer: () => Promise<pg.QueryResultRow[]>;

beforeEach(async () => {
  const database = await createTestDatabase();
  fixture = await startCacheFixture(database.url);
  onTestFinished(database.drop);
  let kept: pg.QueryResultRow[] = [];
  const restore = interceptQuery(fixture.database, 'fence', async (send) => {
    const rows = await send();
    kept = rows;
    return rows;
  });
  await fixture.fence.waitUntilFresh();
  restore();
  answer = async () => kept;
  fixture.database.query = async <Row extends pg.QueryResultRow>() => (await answer()) as Row[];
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  vi.advanceTimersByTime(10);
});
afterEach(async () => {
  vi.useRealTimers();
  await fixture.database.close();
});

/** How many of several fences in a row are sent while time stands still. */
async function sentAtOnce(wanted: number): Promise<number> {
  const { count } = fixture.fence;
  void (async () => {
    for (let i = 0; i < wanted; i++) await fixture.fence.waitUntilFresh();
  })();
  for (let turn = 0; turn < 4 * wanted; turn++) await setImmediate();
  return fixture.fence.count - count;
}

async function after(ms: number): Promise<number> {
  const { count } = fixture.fence;
  vi.advanceTimersByTime(ms);
  for (let turn = 0; turn < 10; turn++) await setImmediate();
  return fixture.fence.count - count;
}

it('four fences are sent at once, each of the next a millisecond later, and four again in the next slot', async () => {
  vi.setSystemTime(0);
  vi.advanceTimersByTime(4 - (Math.floor(performance.now()) % 4));
  expect(await sentAtOnce(20)).toBe(4);
  expect(await after(1)).toBe(1);
  expect(await after(1)).toBe(1);
  expect(await after(1)).toBe(1);
  expect(await after(1)).toBe(5);
});

it('after a failure callers are refused for 100 milliseconds, and then the database is tried again', async () => {
  const works = answer;
  answer = () => Promise.reject(new Error('away'));
  await expect(fixture.fence.waitUntilFresh()).rejects.toThrow();
  answer = works;
  const { count } = fixture.fence;
  vi.advanceTimersByTime(99);
  expect(fixture.fence.isDown).toBe(true);
  await expect(fixture.fence.waitUntilFresh()).rejects.toThrow('the database is away');
  expect(fixture.fence.count).toBe(count);
  vi.advanceTimersByTime(1);
  expect(fixture.fence.isDown).toBe(false);
  await fixture.fence.waitUntilFresh();
  expect(fixture.fence.count).toBe(count + 1);
});

it('the age of the last fence is the time since it returned, and a failure does not make it younger', async () => {
  await fixture.fence.waitUntilFresh();
  expect(fixture.fence.ageMs).toBe(0);
  vi.advanceTimersByTime(250);
  expect(fixture.fence.ageMs).toBe(250);
  answer = () => Promise.reject(new Error('away'));
  await expect(fixture.fence.waitUntilFresh()).rejects.toThrow();
  vi.advanceTimersByTime(50);
  expect(fixture.fence.ageMs).toBe(300);
});
