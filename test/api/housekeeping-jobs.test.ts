import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, type TestSettings } from '../support/instance.ts';
import { createKey, verdict, verify } from '../support/sql-keys.ts';
import { foldLog } from '../support/usage-log.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

let database: TestDatabase;
let client: pg.Client;
let instance: Instance;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  client = await connect(database.url);
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => vi.useRealTimers());

async function startWith(settings: TestSettings = {}): Promise<void> {
  instance = await launch(database.url, settings);
  onTestFinished(instance.stop);
  instance.service.start();
}

/** Rows of each table, one that is due to go and one that is not, and how many are left. */
async function leaveThings(): Promise<void> {
  await client.query('truncate batch_sequences, idempotency_keys, change_feed, feed_horizons');
  await client.query(`
    insert into batch_sequences (instance, lane, sequence, updated_at)
    values (gen_random_uuid(), 'old', 1, now() - interval '169 hours'),
           (gen_random_uuid(), 'young', 1, now() - interval '167 hours');
    insert into idempotency_keys (caller_id, key, fingerprint, answer, created_at)
    values ('c', 'old', 'f', '{}', now() - interval '1441 minutes'),
           ('c', 'young', 'f', '{}', now() - interval '1439 minutes')`);
  await client.query(`insert into change_feed (kind, id) values ('key', 'old')`);
  await client.query(`insert into feed_horizons (oldest, recorded_at)
    values (pg_current_xact_id(), now() - interval '601 seconds')`);
  await client.query(`insert into change_feed (kind, id) values ('key', 'young')`);
  // As ten minutes later: what was in progress on the server at the horizon has ended.
  const ended = `select oldest <= pg_snapshot_xmin(pg_current_snapshot()) as is from feed_horizons`;
  await eventually(async () => (await client.query<{ is: boolean }>(ended)).rows[0]?.is, true);
}

const LEFT = `
  select array(select lane from batch_sequences where lane in ('old', 'young') order by 1) as lanes,
         array(select key from idempotency_keys order by 1) as answers,
         array(select id from change_feed where id in ('old', 'young') order by 1) as feed`;

const left = async () => (await client.query<Record<string, string[]>>(LEFT)).rows[0];
/** A minute in which the run before is not over yet brings none. */
const leftAfterAMinute = () => {
  vi.advanceTimersByTime(MINUTE_MS);
  return left();
};
const both = ['old', 'young'];
const ALL = { lanes: both, answers: both, feed: both };
const YOUNG = { lanes: ['young'], answers: ['young'], feed: ['young'] };

/** As `expect.poll`, which would move the faked clock. */
async function eventually(look: () => unknown, expected: unknown): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (performance.now() < deadline && !isDeepStrictEqual(await look(), expected)) {
    await client.query('select 1');
  }
  expect(await look()).toEqual(expected);
}

const logged = (text: string) => instance.logLines.filter((line) => line.includes(text));

describe('housekeeping', () => {
  it('every minute an instance drops old lanes, answers and feed rows, and no younger ones', async () => {
    await startWith();
    await leaveThings();
    vi.advanceTimersByTime(MINUTE_MS - 1);
    expect(await left()).toEqual(ALL);
    vi.advanceTimersByTime(1);
    await eventually(left, YOUNG);
    await client.query(`update batch_sequences set updated_at = now() - interval '169 hours'`);
    await eventually(leftAfterAMinute, { ...YOUNG, lanes: [] });
    expect(logged('housekeeping')).toEqual([]);
  });

  it.each([
    ['feed_horizons', { ...YOUNG, feed: both }],
    ['batch_sequences', { ...YOUNG, lanes: both }],
    ['idempotency_keys', { ...YOUNG, answers: both }],
  ])(
    'housekeeping of %s that fails is logged, keeps no other from its work, and is tried again',
    async (table, meanwhile) => {
      await startWith();
      await leaveThings();
      await client.query(`
      create function refuse() returns trigger language plpgsql as $$
        begin raise 'planted'; end $$;
      create trigger refuse before delete on ${table} execute function refuse()`);
      vi.advanceTimersByTime(MINUTE_MS);
      await eventually(() => logged('housekeeping failed').length, 1);
      await eventually(left, meanwhile);
      await client.query('drop function refuse cascade');
      await eventually(leftAfterAMinute, YOUNG);
      expect(logged('housekeeping failed')).toHaveLength(1);
    },
  );

  it('an instance that was stopped does no housekeeping and writes no counters any more', async () => {
    await startWith();
    await instance.stop();
    const lines = instance.logLines.length;
    vi.advanceTimersByTime(HOUR_MS);
    expect(vi.getTimerCount()).toBe(0);
    await leaveThings();
    expect(await left()).toEqual(ALL);
    expect(instance.logLines).toHaveLength(lines);
  });
});

describe('the interval of the counters', () => {
  const total = async (id: string) => {
    await foldLog(client);
    const { rows } = await client.query(
      'select coalesce(sum(total), 0)::int as total from key_usage where key_id = $1',
      [id],
    );
    return rows[0].total;
  };

  it.each([250, 7000])(
    'counters are written every %i ms where KEYWARD_USAGE_FLUSH_MS says so',
    async (usageFlushMs) => {
      await startWith({ usageFlushMs });
      const { id, key } = await createKey(instance);
      const flush = vi.spyOn(instance.service.internals.flusher, 'flush');
      for (let round = 1; round <= 2; round++) {
        expect(await verdict(instance, key)).toBe('VALID');
        vi.advanceTimersByTime(usageFlushMs - 1);
        expect(flush).toHaveBeenCalledTimes(round - 1);
        vi.advanceTimersByTime(1);
        expect(flush).toHaveBeenCalledTimes(round);
        await eventually(() => total(id), round);
      }
    },
  );

  it('a count that failed before its answer is written within a second although nobody verifies again', async () => {
    await startWith({ usageFlushMs: 0 });
    const { id, key } = await createKey(instance);
    await client.query('alter table usage_log rename to hidden');
    expect((await verify(instance, key)).status).toBe(500);
    await client.query('alter table hidden rename to usage_log');
    vi.advanceTimersByTime(999);
    expect(await total(id)).toBe(0);
    vi.advanceTimersByTime(1);
    await eventually(() => total(id), 1);
  });
});
