import { setImmediate } from 'node:timers/promises';
import type pg from 'pg';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { Fence } from '../../src/freshness/fence.ts';
import { TimeShare } from '../../src/freshness/time-share.ts';
import { Clock } from '../../src/lib/clock.ts';
import { type CacheFixture, startCacheFixture } from '../support/cache-fixture.ts';
import { createTestDatabase } from '../support/database.ts';
import { interceptQuery } from '../support/statements.ts';

/** Time stands still here, and moves only when it is told to. */
let fixture: CacheFixture;
let fence: Fence;
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
  fence = new Fence(fixture.database, new Clock());
  await fence.waitUntilFresh();
});
afterEach(async () => {
  vi.useRealTimers();
  await fixture.database.close();
});

it('fences are sent without a pause until their share of the time is used up, and go on after a millisecond', async () => {
  let now = 0;
  fence = new Fence(fixture.database, new Clock(), new TimeShare(0.6, () => now));
  const works = answer;
  answer = () => {
    now += 0.3;
    return works();
  };
  void (async () => {
    while (fence.count < 30) await fence.waitUntilFresh();
  })();
  const sent = async () => {
    for (let turn = 0; turn < 200; turn++) await setImmediate();
    return fence.count;
  };
  // The first asks twice and leaves 0.4 of the millisecond that is saved, each other one takes 0.12
  // more than it brings, and a pause brings 0.6.
  expect(await sent()).toBe(5);
  for (const count of [10, 15, 20]) {
    now += 1;
    vi.advanceTimersByTime(1);
    expect(await sent()).toBe(count);
  }
});

it('after a failure callers are refused for 100 milliseconds, and then the database is tried again', async () => {
  const works = answer;
  answer = () => Promise.reject(new Error('away'));
  await expect(fence.waitUntilFresh()).rejects.toThrow();
  answer = works;
  const { count } = fence;
  vi.advanceTimersByTime(99);
  expect(fence.isDown).toBe(true);
  await expect(fence.waitUntilFresh()).rejects.toThrow('the database is away');
  expect(fence.count).toBe(count);
  vi.advanceTimersByTime(1);
  expect(fence.isDown).toBe(false);
  await fence.waitUntilFresh();
  expect(fence.count).toBe(count + 1);
});

it('the age of the last fence is the time since it returned, and a failure does not make it younger', async () => {
  await fence.waitUntilFresh();
  expect(fence.ageMs).toBe(0);
  vi.advanceTimersByTime(250);
  expect(fence.ageMs).toBe(250);
  answer = () => Promise.reject(new Error('away'));
  await expect(fence.waitUntilFresh()).rejects.toThrow();
  vi.advanceTimersByTime(50);
  expect(fence.ageMs).toBe(300);
});
