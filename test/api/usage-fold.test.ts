import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import type { VerdictCode } from '../../src/domain/verdict.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { UsageCounters } from '../../src/usage/counters.ts';
import { UsageFold } from '../../src/usage/fold.ts';
import { appendToLog, foldShard, shardMixed } from '../../src/usage/log-store.ts';
import { MIXED_SHARD, shardOf } from '../../src/usage/shards.ts';
import { startCacheFixture } from '../support/cache-fixture.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { base62 } from '../support/forged-key.ts';
import { launchForTest } from '../support/instance.ts';
import { holdRows } from '../support/locks.ts';
import { insertKey } from '../support/sql-keys.ts';
import { foldLog } from '../support/usage-log.ts';

const HOUR = 3_600_000;
const FREE = { passingLocked: false };

let copy: TestDatabase;
let sql: pg.Client;
let database: Database;
let fold: UsageFold;
let sequence = 0;
const instance = randomUUID();

beforeEach(async () => {
  copy = await createTestDatabase();
  sql = await connect(copy.url);
  database = (await startCacheFixture(copy.url)).database;
  fold = new UsageFold(database, createLogger('silent'));
});
afterEach(async () => {
  await database.close();
  await copy.drop();
});

async function makeKeys(count: number) {
  const keys = Array.from({ length: count }, () => ({
    id: `key_${base62(22)}`,
    ref: base62(16),
  }));
  for (const key of keys) await insertKey(sql, key);
  return keys;
}

interface Use {
  id: string;
  ref: string;
  code?: VerdictCode;
  at?: number;
  units?: number;
}

/** Flushes the uses as one flush of an instance. */
async function flush(uses: readonly Use[], unmatched: readonly string[] = []): Promise<void> {
  const counters = new UsageCounters(100_000);
  for (const { id, ref, code = 'VALID', at = HOUR, units = 1 } of uses) {
    counters.count(id, ref, code, at, null, units);
  }
  for (const workspace of unmatched) counters.countUnmatched(workspace, HOUR);
  for (const batch of counters.take()) {
    await appendToLog(database, { instance, stream: 'usage-0', sequence: ++sequence }, batch);
  }
}

/** What the tables say that are read, and how many rows wait in the log. */
async function folded() {
  const { rows } = await sql.query(
    `select (select coalesce(sum(count), 0)::int from usage_recent) as hours,
            (select coalesce(sum(units), 0)::int from usage_recent) as units,
            (select coalesce(sum(total), 0)::int from key_usage) as keys,
            (select coalesce(sum(total), 0)::int from secret_usage) as secrets,
            (select coalesce(sum(count), 0)::int from usage_unmatched) as unmatched,
            (select count(*)::int from usage_log) as log`,
  );
  return rows[0];
}
/** As many as the first step of a fold takes. */
const STEP = 700;
const all = (count: number) => ({ hours: count, keys: count, secrets: count });

it('a fold that begins with small steps leaves nothing in the log when it takes larger ones', async () => {
  const keys = await makeKeys(STEP);
  for (let i = 0; i < 2; i++) await flush(keys);
  await fold.foldAll();
  expect(await folded()).toMatchObject({ ...all(2 * STEP), log: 0 });
});

it('a fold adds what many flushes wrote to the hours, the totals and the last uses, and empties the log', async () => {
  const [one, two] = await makeKeys(2);
  if (!one || !two) throw new Error('no keys');
  await flush([{ ...one, at: HOUR, units: 5 }, one, { ...two, code: 'EXPIRED', units: 0 }], ['a']);
  await flush([{ ...one, at: 2 * HOUR + 1234 }], ['a', 'b']);
  await fold.foldAll();
  await flush([{ ...one, at: 2 * HOUR + 1 }]);
  await fold.foldAll();
  expect(await folded()).toEqual({ ...all(5), units: 8, unmatched: 3, log: 0 });
  const { rows } = await sql.query(
    `select total::int, extract(epoch from last_used_at)::float8 * 1000 as used,
            extract(epoch from last_denied_at)::float8 * 1000 as denied
       from key_usage where key_id = any($1) order by total`,
    [[one.id, two.id]],
  );
  expect(rows).toEqual([
    { total: 1, used: null, denied: HOUR },
    { total: 4, used: 2 * HOUR + 1234, denied: null },
  ]);
  const hours = await sql.query(
    `select extract(epoch from hour)::int / 3600 as hour, count::int, units::int
       from usage_recent where key_id = $1 order by 1`,
    [one.id],
  );
  expect(hours.rows).toEqual([
    { hour: 1, count: 2, units: 6 },
    { hour: 2, count: 2, units: 2 },
  ]);
});

it('the counts of many keys are folded by shards in steps, and each is counted once', async () => {
  const keys = await makeKeys(800);
  for (let round = 0; round < 3; round++) await flush(keys);
  for (let round = 0; round < 4; round++) await flush(keys.slice(0, 300));
  await fold.run();
  // Those of small flushes were brought into shards, and all wait to be merged with later ones.
  expect(await folded()).toMatchObject({ ...all(0) });
  await sql.query(`update usage_log set written_at = now() - interval '11 seconds'`);
  await fold.run();
  expect(await folded()).toEqual({ ...all(3600), units: 3600, unmatched: 0, log: 0 });
});

it('small flushes that come together are brought into rows of one shard each, with the age of the oldest', async () => {
  const keys = await makeKeys(40);
  await flush(keys, ['a']);
  await flush(keys.slice(0, 20), ['a']);
  await sql.query(`update usage_log set written_at = now() - interval '7 seconds'`);
  expect(await shardMixed(database, 1000)).toBe(40);
  const { rows } = await sql.query<{ shard: number; old: boolean; refs: string[] }>(
    `select shard, written_at < now() - interval '6 seconds' as old,
            string_to_array(secrets, ',') as refs from usage_log`,
  );
  const shards = new Map(keys.map(({ id, ref }) => [ref, shardOf(id)]));
  expect(rows.flatMap(({ refs }) => refs).sort()).toEqual(keys.map(({ ref }) => ref).sort());
  for (const { shard, old, refs } of rows) {
    expect(old).toBe(true);
    for (const ref of refs) expect(shards.get(ref)).toBe(shard);
  }
  await foldLog(sql);
  expect(await folded()).toEqual({ ...all(60), units: 60, unmatched: 2, log: 0 });
});

it('the metrics show how many rows wait in the log, and an instance that stops leaves them there', async () => {
  const keys = await makeKeys(2);
  const keyward = await launchForTest(copy.url);
  const shown = async () => {
    const { text } = await keyward.call('GET', '/metrics');
    return /^keyward_usage_log_rows (\d+)$/m.exec(text)?.[1];
  };
  expect(await shown()).toBe('0');
  await flush(keys);
  await flush(keys);
  await keyward.service.internals.fold.run(AbortSignal.abort());
  expect(await shown()).toBe('2');
  expect(await folded()).toMatchObject({ ...all(0), log: 2 });
});

const TABLES = ['usage_log', 'usage_unmatched', 'secret_usage', 'key_usage', 'usage_recent'];

it.each(TABLES)(
  'a fold that is killed when it writes to %s loses nothing and doubles nothing',
  async (table) => {
    const keys = await makeKeys(3);
    await flush(keys, ['a']);
    await fold.foldAll();
    await flush([...keys, ...keys], ['a', 'a']);
    await killAt(table);
    await expect(foldShard(database, MIXED_SHARD, 1000, FREE)).rejects.toThrow();
    expect(await folded()).toEqual({ ...all(3), units: 3, unmatched: 1, log: 1 });
    await sql.query(`drop trigger cut on ${table}`);
    await fold.foldAll();
    expect(await folded()).toEqual({ ...all(9), units: 9, unmatched: 3, log: 0 });
  },
);

it('a fold that is killed while it brings counters into shards loses nothing and doubles nothing', async () => {
  const keys = await makeKeys(20);
  await flush(keys, ['a']);
  await killAt('usage_log', 'insert');
  await expect(shardMixed(database, 1000)).rejects.toThrow();
  expect(await folded()).toMatchObject({ ...all(0), unmatched: 0, log: 1 });
  await sql.query('drop trigger cut on usage_log');
  await shardMixed(database, 1000);
  await foldLog(sql);
  expect(await folded()).toMatchObject({ ...all(20), unmatched: 1, log: 0 });
});

it.each(['batch_sequences', 'usage_log'])(
  'a flush that is killed when it writes to %s counts once when it is repeated',
  async (table) => {
    const keys = await makeKeys(2);
    await killAt(table);
    await expect(flush(keys)).rejects.toThrow();
    expect(await folded()).toMatchObject({ log: 0 });
    await sql.query(`drop trigger cut on ${table}`);
    sequence--;
    await flush(keys);
    await fold.foldAll();
    expect(await folded()).toMatchObject(all(2));
  },
);

/** The backend that writes to the table ends at that point. */
async function killAt(table: string, events = 'insert or update or delete'): Promise<void> {
  await sql.query(`
    create or replace function cut() returns trigger language plpgsql as $$
      begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(60); return new; end $$`);
  await sql.query(
    `create trigger cut before ${events} on ${table} for each row execute function cut()`,
  );
}

it('one fold works at a time: another one leaves the log to it, and nothing is counted twice', async () => {
  const keys = await makeKeys(30);
  for (let round = 0; round < 5; round++) await flush(keys);
  const other = await connect(copy.url);
  await other.query('begin');
  await other.query('select fold_usage_log(-1, 60, false)');
  expect(await foldShard(database, MIXED_SHARD, 1000, FREE)).toBeNull();
  expect(await shardMixed(database, 1000)).toBeNull();
  await flush(keys);
  await other.query('commit');
  const folds = Array.from({ length: 6 }, () =>
    new UsageFold(database, createLogger('silent')).foldAll(),
  );
  await Promise.all(folds);
  await fold.foldAll();
  expect(await folded()).toMatchObject({ ...all(180), log: 0 });
});

it.each([
  ['key_usage', 'key_id', 'id'],
  ['secret_usage', 'secret_ref', 'ref'],
  ['usage_recent', 'secret_ref', 'ref'],
] as const)(
  'a locked row of %s holds up no flush, and in the fold the counts of its own key alone',
  async (table, column, name) => {
    const keys = await makeKeys(3);
    const [locked] = keys;
    if (!locked) throw new Error('no key');
    await flush(keys);
    await fold.foldAll();
    const release = await holdRows(copy.url, `select from ${table} where ${column} = $1`, [
      locked[name],
    ]);
    await flush(keys);
    await flush([locked]);
    await fold.run();
    expect(await folded()).toMatchObject({ ...all(5), log: 1 });
    await fold.run();
    expect(await folded()).toMatchObject({ ...all(5), log: 1 });
    await release();
    await fold.run();
    expect(await folded()).toMatchObject({ ...all(7), units: 7, log: 0 });
  },
);

it('a flush waits for no other flush, however long its transaction stays open', async () => {
  const keys = await makeKeys(2);
  const other = await connect(copy.url);
  await other.query('begin');
  await other.query(
    `select append_usage_log($1, 'usage-0', 1, -1, 1, 0, $2, 'VALID', '1', '1', '1', '0', '', '', '')`,
    [randomUUID(), keys[0]?.ref],
  );
  await flush(keys);
  await fold.foldAll();
  expect(await folded()).toMatchObject({ ...all(2), log: 0 });
  await other.query('commit');
  await fold.foldAll();
  expect(await folded()).toMatchObject({ ...all(3), log: 0 });
});

it('a fold that cannot read or change the log in time loses no connection, and goes on afterwards', async () => {
  const losses: string[] = [];
  database.onConnectionLoss(() => losses.push('lost'));
  const [key] = await makeKeys(1);
  if (!key) throw new Error('a key was made');
  await flush([key]);
  const locker = await connect(copy.url);
  await locker.query('begin');
  await locker.query('lock table usage_log in access exclusive mode');
  await fold.run();
  await locker.query('rollback');
  await locker.query('begin');
  await locker.query('lock table usage_recent in access exclusive mode');
  await fold.run();
  await locker.query('rollback');
  expect(await folded()).toMatchObject({ hours: 0, log: 1 });
  await fold.run();
  expect(await folded()).toMatchObject({ hours: 1, log: 0 });
  expect(losses).toEqual([]);
  await locker.end();
});
