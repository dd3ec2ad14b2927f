import type pg from 'pg';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { cutoffsAt } from '../../src/retention/cutoffs.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { launchForTest } from '../support/instance.ts';
import {
  addRecent,
  DAY_MS,
  HOUR_MS,
  instantOf,
  KEPT,
  newRetention,
  sumsOf,
  TODAY,
  timeOf,
} from '../support/kept-usage.ts';
import { untilWaiting } from '../support/locks.ts';

const MINUTE_MS = 60_000;

let copy: TestDatabase;
let sql: pg.Client;

beforeEach(async () => {
  copy = await createTestDatabase();
  sql = await connect(copy.url);
});
afterEach(() => copy.drop());

const launchHere = () => launchForTest(copy.url);

it('every minute an instance looks for what is due, says when the last run was complete, and until where all is moved', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const instance = await launchHere();
  const { retention } = instance.service.internals;
  instance.service.start();
  await addRecent(sql, 3, 4);
  await addRecent(sql, -1, 4);
  vi.advanceTimersByTime(MINUTE_MS - 1);
  expect((await sumsOf(sql)).recent).toBe(2);
  expect(retention.oldestOpenHour).toBeNull();
  vi.advanceTimersByTime(1);
  await expect.poll(() => retention.oldestOpenHour).toBe(timeOf(-1, 4));
  const names = retention.jobs.map(({ name }) => name);
  await expect.poll(() => retention.jobs.at(-1)?.lastSuccessAt).toBeGreaterThan(TODAY);
  expect(retention.jobs).toEqual(
    names.map((name) => {
      const rows = name === 'move_recent' ? 1 : 0;
      return { name, rows, failures: 0, lastSuccessAt: expect.any(Number) };
    }),
  );
  expect(names).toEqual([
    'make_partitions',
    'move_recent',
    'move_unmatched',
    'move_days',
    'drop_partitions',
    'remove_retired_secrets',
    'remove_deleted_keys',
    'mark_ended_keys',
  ]);
});

it('a retention job that fails is logged by its name, keeps no other from its work, and is tried again', async () => {
  const instance = await launchHere();
  const { retention } = instance.service.internals;
  const name = 'move_usage(timestamptz, timestamptz, date, text, text, integer)';
  await sql.query(`alter function ${name} rename to hidden`);
  await addRecent(sql, 3, 4);
  await sql.query(`insert into usage_unmatched values ('w', $1, 3)`, [instantOf(3)]);
  await retention.run();
  expect(await sumsOf(sql)).toMatchObject({ recent: 1, unmatched: 0, days: 3 });
  const failed = retention.jobs.filter(({ failures }) => failures > 0);
  expect(failed).toEqual([{ name: 'move_recent', rows: 0, failures: 1, lastSuccessAt: null }]);
  const lines = instance.logLines.filter((line) => line.includes('retention.step_failed'));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('move_recent');
  await sql.query(`alter function ${name.replace('move_usage', 'hidden')} rename to move_usage`);
  await retention.run();
  expect(await sumsOf(sql)).toMatchObject({ recent: 0, days: 4 });
});

it('what was complete is looked for again an hour later or with the next day, and costs no statement until then', async () => {
  const { orm } = (await launchHere()).service.internals.database;
  let now = timeOf(1) + 10 * HOUR_MS;
  let steps = 0;
  const retention = newRetention(orm, {
    clock: { now: () => now },
    inTurn: (step) => {
      steps++;
      return step();
    },
  });
  const stepsOfRun = async () => {
    steps = 0;
    await retention.run();
    return steps;
  };
  const all = retention.jobs.length;
  expect(await stepsOfRun()).toBe(all);
  now += HOUR_MS - 1000;
  expect(await stepsOfRun()).toBe(0);
  now += 1000;
  expect(await stepsOfRun()).toBe(all);
  now = timeOf(0) - 1000;
  expect(await stepsOfRun()).toBe(all);
  // A quarter of an hour after midnight, when what was counted before has arrived.
  now = timeOf(0) + 14 * MINUTE_MS;
  expect(await stepsOfRun()).toBe(0);
  now = timeOf(0) + 15 * MINUTE_MS;
  expect(await stepsOfRun()).toBe(all);
});

it('nothing is moved while counters wait longer for the fold than half a minute', async () => {
  const { orm } = (await launchHere()).service.internals.database;
  const fold = { waitingMs: 30_001 };
  const retention = newRetention(orm, { fold });
  await addRecent(sql, 3, 4);
  await retention.run();
  expect((await sumsOf(sql)).recent).toBe(1);
  expect(retention.jobs.every(({ lastSuccessAt }) => lastSuccessAt === null)).toBe(true);
  fold.waitingMs = 30_000;
  await retention.run();
  expect((await sumsOf(sql)).recent).toBe(0);
});

it('a stop lets the step of retention end that is in progress, and begins no other', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const instance = await launchHere();
  await instance.service.internals.retention.run();
  instance.service.start();
  await addRecent(sql, 3, 4);
  await sql.query(`insert into usage_unmatched values ('w', $1, 3)`, [instantOf(3)]);
  const name = 'move_usage(timestamptz, timestamptz, date, text, text, integer)';
  await sql.query(`alter function ${name} set lock_timeout = '30s'`);
  instance.advance(HOUR_MS);
  const locker = await connect(copy.url);
  await locker.query('begin');
  await locker.query('lock table usage_months in share mode');
  vi.advanceTimersByTime(MINUTE_MS);
  await untilWaiting(copy.url, 1);
  const stopped = instance.service.stop();
  await locker.query('commit');
  expect(await stopped).toBe(true);
  expect(await sumsOf(sql)).toMatchObject({ recent: 0, days: 1, unmatched: 3 });
});

it('cutoffs are days and months in UTC: whole days of hours, and whole months of days', () => {
  const now = Date.UTC(2026, 2, 1, 0, 14, 59);
  expect(cutoffsAt(now, { ...KEPT, hours: 2, days: 60 })).toEqual({
    before: '2026-02-28T00:00:00.000Z',
    hoursFrom: '2026-02-27T00:00:00.000Z',
    daysFrom: '2025-12-01',
    keysDeletedBefore: new Date(now - 90 * DAY_MS).toISOString(),
    secretsRetiredBefore: new Date(now - 90 * DAY_MS).toISOString(),
    keysEndedBefore: '2026-03-01T00:04:59.000Z',
  });
  expect(cutoffsAt(now + 1000, KEPT).before).toBe('2026-03-01T00:00:00.000Z');
});
