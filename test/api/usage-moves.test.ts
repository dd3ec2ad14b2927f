import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import type { VerdictCode } from '../../src/domain/verdict.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { UsageCounters } from '../../src/usage/counters.ts';
import { UsageFold } from '../../src/usage/fold.ts';
import { appendToLog, foldShard } from '../../src/usage/log-store.ts';
import { MIXED_SHARD } from '../../src/usage/shards.ts';
import { startCacheFixture } from '../support/cache-fixture.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { base62 } from '../support/forged-key.ts';
import {
  addRecent,
  countsBy,
  instantOf,
  KEPT,
  killAt,
  newRetention,
  retain,
  sumsOf,
  timeOf,
} from '../support/kept-usage.ts';
import { untilWaiting } from '../support/locks.ts';
import { insertKey } from '../support/sql-keys.ts';

const FREE = { passingLocked: false };

let copy: TestDatabase;
let sql: pg.Client;
let database: Database;
let sequence = 0;
const instance = randomUUID();

beforeEach(start);
afterEach(end);

async function start(): Promise<void> {
  copy = await createTestDatabase();
  sql = await connect(copy.url);
  await sql.query(`set timezone = 'UTC'`);
  database = (await startCacheFixture(copy.url)).database;
}

async function end(): Promise<void> {
  await database.close();
  await copy.drop();
}

const WINDOW = [instantOf(KEPT.hours), instantOf(KEPT.days).slice(0, 10)];

const makePartitions = () => sql.query('select make_usage_partitions($1, $2)', WINDOW);

/** One step of a move of what is older than today. */
async function step(
  client: pg.ClientBase,
  maxRows: number,
  { place = ['', ''], window = WINDOW }: { place?: string[]; window?: string[] } = {},
): Promise<{ moved: number | null; place: string[] | null }> {
  const { rows } = await client.query('select * from move_usage($1, $2, $3, $4, $5, $6)', [
    ...[instantOf(0), ...window, ...place, maxRows],
  ]);
  const { moved, end_workspace, end_key } = rows[0];
  return { moved, place: end_key === null ? null : [end_workspace, end_key] };
}

/** How many rows each step moved. */
async function moveAll(maxRows: number): Promise<number[]> {
  await makePartitions();
  const moved: number[] = [];
  for (let place: string[] | null = ['', '']; place !== null; ) {
    const done = await step(sql, maxRows, { place });
    moved.push(done.moved ?? 0);
    place = done.place;
  }
  return moved;
}

interface OwnKey {
  id: string;
  ref: string;
  workspaceId: string;
}

async function makeKey(workspaceId = 'default'): Promise<OwnKey> {
  const key = { id: `key_${base62(22)}`, ref: base62(16), workspaceId };
  await sql.query(
    `insert into workspaces (id, status, created_at, updated_at) values ($1, 'active', now(), now())
     on conflict do nothing`,
    [workspaceId],
  );
  await insertKey(sql, key);
  return key;
}

/** As one flush of an instance. */
async function flush(key: OwnKey, at: number, code: VerdictCode = 'VALID', uses = 1) {
  const counters = new UsageCounters(1000);
  for (let use = 0; use < uses; use++) counters.count(key.id, key.ref, code, at, null, 1);
  await append(counters);
}

async function flushUnmatched(workspaceId: string, at: number): Promise<void> {
  const counters = new UsageCounters(1000);
  counters.countUnmatched(workspaceId, at);
  await append(counters);
}

async function append(counters: UsageCounters): Promise<void> {
  for (const batch of counters.take()) {
    await appendToLog(database, { instance, stream: 'usage-0', sequence: ++sequence }, batch);
  }
}

const fold = () => new UsageFold(database, createLogger('silent')).foldAll();

it('each count is in one of the recent rows, the days and the months, and by the hour as long as hours are kept', async () => {
  for (let key = 0; key < 20; key++) {
    for (const [daysAgo, hour] of [
      [0, 1],
      [1, 3],
      [1, 4],
      [20, 23],
      [100, 0],
      [500, 12],
    ] as const) {
      await addRecent(sql, daysAgo, hour, { key: `key_${key}`, count: 2 });
    }
  }
  const none = { unmatched: 0, days: 0, months: 0, hours: 0 };
  expect(await sumsOf(sql)).toEqual({ ...none, recent: 240 });
  expect((await moveAll(7)).length).toBeGreaterThan(5);
  const moved = { ...none, recent: 40, days: 160, months: 40, hours: 120 };
  expect(await sumsOf(sql)).toEqual(moved);
  await addRecent(sql, 1, 3, { key: 'key_1', count: 5 });
  await moveAll(1000);
  expect(await sumsOf(sql)).toEqual({ ...moved, days: 165, hours: 125 });
  const { rows } = await sql.query(
    `select day::text, sum(count)::int as count from usage_days where key_id = 'key_1' group by 1 order by 1`,
  );
  expect(rows).toEqual([
    { day: instantOf(100).slice(0, 10), count: 2 },
    { day: instantOf(20).slice(0, 10), count: 2 },
    { day: instantOf(1).slice(0, 10), count: 9 },
  ]);
});

const DAYS_AGO = [0, 1, 2, 9, 11, 30, 34, 61, 100, 399, 500, 900];
const LATER = { ...KEPT, hours: 10, days: 60 };
const CODES = ['VALID', 'EXPIRED', 'RATE_LIMITED'] as const;

const action = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('count' as const),
      key: fc.nat(5),
      daysAgo: fc.constantFrom(...DAYS_AGO),
      hour: fc.nat(23),
      code: fc.constantFrom(...CODES),
      uses: fc.integer({ min: 1, max: 9 }),
    }),
  },
  fc.record({ kind: fc.constant('unmatched' as const), daysAgo: fc.constantFrom(...DAYS_AGO) }),
  fc.record({ kind: fc.constant('fold' as const) }),
  fc.record({ kind: fc.constant('move' as const), maxRows: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ kind: fc.constant('retain' as const), later: fc.boolean() }),
  fc.record({ kind: fc.constant('remove' as const), key: fc.nat(5) }),
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** Does the actions, and compares after each of them what the tables say with what was counted. */
async function compare(actions: readonly Action[]): Promise<void> {
  const keys: OwnKey[] = [];
  for (let key = 0; key < 6; key++) keys.push(await makeKey(key < 3 ? 'a' : 'b'));
  const removed = new Set<number>();
  const flushed = new Map<string, number>();
  let folded = new Map<string, number>();
  const add = (group: string, uses: number) => flushed.set(group, (flushed.get(group) ?? 0) + uses);
  const foldAll = async () => {
    await fold();
    folded = new Map(flushed);
  };
  for (const one of actions) {
    if (one.kind === 'count') {
      const key = keys[one.key];
      if (!key || removed.has(one.key)) continue;
      await flush(key, timeOf(one.daysAgo, one.hour), one.code, one.uses);
      add(`${key.workspaceId} ${one.code}`, one.uses);
    } else if (one.kind === 'unmatched') {
      await flushUnmatched('a', timeOf(one.daysAgo, 5));
      add('a NOT_FOUND', 1);
    } else if (one.kind === 'fold') await foldAll();
    else if (one.kind === 'move') await moveAll(one.maxRows);
    else if (one.kind === 'retain') {
      expect(await retain(database.orm, one.later ? LATER : KEPT)).toBe(0);
    } else {
      // All that was counted before a key was deleted has been folded seven days later.
      await foldAll();
      removed.add(one.key);
      const deleted = `update keys set deleted_at = now() - interval '91 days' where id = $1`;
      await sql.query(deleted, [keys[one.key]?.id]);
    }
    const shown = await countsBy(sql, `workspace_id || ' ' || code`);
    expect(shown).toEqual(Object.fromEntries([...folded].sort(([a], [b]) => (a < b ? -1 : 1))));
  }
  await foldAll();
  await retain(database.orm, LATER);
  await expectRemoved([...removed].map((key) => keys[key]?.id ?? ''));
  await expectHoursOfDays(LATER.hours);
  const sums = await sumsOf(sql);
  const total = [...flushed.values()].reduce((sum, uses) => sum + uses, 0);
  expect(sums.recent + sums.unmatched + sums.days + sums.months).toBe(total);
}

/** All but keys with counts of today, which are moved tomorrow, and those that are still presented. */
async function expectRemoved(ids: readonly string[]): Promise<void> {
  const { rows } = await sql.query(
    `select id from keys where id = any($1) and id not in (select key_id from usage_recent)
        and id not in (select key_id from key_usage where last_denied_at > now() - interval '90 days')`,
    [ids],
  );
  expect(rows).toEqual([]);
}

/** For as long as hours are kept, they add up to the days. */
async function expectHoursOfDays(days: number): Promise<void> {
  const { rows } = await sql.query(
    `select (select coalesce(sum(count), 0)::int from usage_hours where hour >= $1) as hours,
            (select coalesce(sum(count), 0)::int from usage_days where day >= $1::timestamptz::date)
              as days`,
    [instantOf(days)],
  );
  expect(rows[0].hours).toBe(rows[0].days);
}

it('each count is in one of the recent rows, the days and the months, whatever is counted, folded, moved, dropped and removed, in whatever order', async () => {
  const property = fc.asyncProperty(
    fc.array(action, { minLength: 8, maxLength: 30 }),
    async (all) => {
      await end();
      await start();
      await compare(all);
    },
  );
  await fc.assert(property, { numRuns: 12, endOnFailure: true });
}, 120_000);

const MOVED_TABLES = [
  'usage_recent',
  'usage_unmatched',
  'usage_hours',
  'usage_days',
  'usage_months',
];

it.each(MOVED_TABLES)(
  'a move that is killed when it writes to %s loses nothing and doubles nothing, and another instance finishes it',
  async (table) => {
    for (const daysAgo of [0, 3, 100, 500]) await addRecent(sql, daysAgo, 7);
    await sql.query(`insert into usage_unmatched values ('w', $1, 3), ('w', $2, 4)`, [
      ...[instantOf(2), instantOf(600)],
    ]);
    await makePartitions();
    await killAt(sql, table);
    expect(await retain(database.orm)).toBeGreaterThan(0);
    expect(await countsBy(sql, 'code')).toEqual({ NOT_FOUND: 7, VALID: 4 });
    await sql.query('drop function cut cascade');
    expect(await retain(database.orm)).toBe(0);
    expect(await countsBy(sql, 'code')).toEqual({ NOT_FOUND: 7, VALID: 4 });
    expect(await sumsOf(sql)).toEqual({ recent: 1, unmatched: 0, days: 5, months: 5, hours: 4 });
  },
);

it.each(['usage_days', 'usage_months'])(
  'a move of days to months that is killed when it writes to %s loses nothing and doubles nothing',
  async (table) => {
    for (const daysAgo of [100, 200, 300]) await addRecent(sql, daysAgo, 7);
    await retain(database.orm);
    expect(await sumsOf(sql)).toMatchObject({ days: 3, months: 0 });
    await killAt(sql, table);
    expect(await retain(database.orm, LATER)).toBe(1);
    expect(await sumsOf(sql)).toMatchObject({ days: 3, months: 0 });
    await sql.query('drop function cut cascade');
    expect(await retain(database.orm, LATER)).toBe(0);
    expect(await sumsOf(sql)).toMatchObject({ days: 0, months: 3 });
  },
);

it('a count that is flushed after its day was moved is moved by the next run, and no read misses it meanwhile', async () => {
  const key = await makeKey();
  await flush(key, timeOf(2, 4));
  await fold();
  await retain(database.orm);
  await flush(key, timeOf(2, 4), 'VALID', 3);
  await fold();
  expect(await sumsOf(sql)).toMatchObject({ recent: 3, days: 1 });
  expect(await countsBy(sql, `key_id || day`)).toEqual({
    [key.id + instantOf(2).slice(0, 10)]: 4,
  });
  await retain(database.orm);
  expect(await sumsOf(sql)).toMatchObject({ recent: 0, days: 4, hours: 4 });
});

it('a fold that waits for a row which is moved counts each verification once', async () => {
  const key = await makeKey();
  await makePartitions();
  await flush(key, timeOf(3, 4), 'VALID', 2);
  await fold();
  // Else the test has 100 ms for what follows.
  await sql.query(
    `alter function fold_usage_log(integer, integer, boolean) set lock_timeout = '30s'`,
  );
  const mover = await connect(copy.url);
  await mover.query('begin');
  expect(await step(mover, 100)).toMatchObject({ moved: 1 });
  await flush(key, timeOf(3, 4), 'VALID', 5);
  const folding = foldShard(database, MIXED_SHARD, 1000, FREE);
  // The client ends its statement after 1.5 s, which leaves the counts in the log.
  await untilWaiting(copy.url, 1);
  await mover.query('commit');
  await folding.catch(fold);
  expect(await sumsOf(sql)).toMatchObject({ recent: 5, days: 2 });
  await moveAll(100);
  expect(await sumsOf(sql)).toMatchObject({ recent: 0, days: 7, hours: 7 });
});

it('a fold waits no longer than 100 ms for a move that holds its row: its counts stay in the log until the next one', async () => {
  const key = await makeKey();
  const other = await makeKey();
  await makePartitions();
  await flush(key, timeOf(3, 4), 'VALID', 2);
  await fold();
  const mover = await connect(copy.url);
  await mover.query('begin');
  await step(mover, 100);
  await flush(key, timeOf(3, 4), 'VALID', 5);
  await flush(other, timeOf(0, 0));
  await fold();
  await mover.query('commit');
  expect(await countsBy(sql, 'key_id')).toEqual({ [key.id]: 2, [other.id]: 1 });
  await fold();
  expect(await countsBy(sql, 'key_id')).toEqual({ [key.id]: 7, [other.id]: 1 });
});

it('a move leaves a row that a fold has changed and not committed to the next run, and waits for nothing', async () => {
  const key = await makeKey();
  const other = await makeKey();
  await makePartitions();
  for (const one of [key, other]) await flush(one, timeOf(3, 4), 'VALID', 2);
  await fold();
  await flush(key, timeOf(3, 4), 'VALID', 5);
  const folder = await connect(copy.url);
  await folder.query('begin');
  await folder.query('select fold_usage_log(-1, 1000, false)');
  expect(await moveAll(100)).toEqual([1]);
  await folder.query('commit');
  expect(await sumsOf(sql)).toMatchObject({ recent: 7, days: 2 });
  expect(await moveAll(100)).toEqual([1]);
  expect(await sumsOf(sql)).toMatchObject({ recent: 0, days: 9, hours: 9 });
});

it('a move that locks a row which a fold has changed since the snapshot of the move leaves it to the next run', async () => {
  const key = await makeKey();
  await makePartitions();
  await flush(key, timeOf(3, 4), 'VALID', 2);
  await fold();
  // A move that waits for the lock is one that comes for it a moment later.
  const { rows } = await sql.query(`select pg_get_functiondef('move_usage'::regproc) as text`);
  await sql.query(rows[0].text.replace('SKIP LOCKED', '').replace(`'100ms'`, `'30s'`));
  await flush(key, timeOf(3, 4), 'VALID', 5);
  const folder = await connect(copy.url);
  await folder.query('begin');
  await folder.query('select fold_usage_log(-1, 1000, false)');
  const moving = step(sql, 100);
  await untilWaiting(copy.url, 1);
  await folder.query('commit');
  expect((await moving).moved).toBe(0);
  expect(await sumsOf(sql)).toMatchObject({ recent: 7, days: 0 });
  expect(await moveAll(100)).toEqual([1]);
  expect(await sumsOf(sql)).toMatchObject({ recent: 0, days: 7, hours: 7 });
});

it('folds and moves of the same keys at the same time count each verification once', async () => {
  const keys = [await makeKey(), await makeKey(), await makeKey()];
  await makePartitions();
  let isCounting = true;
  const moving = (async () => {
    const client = await connect(copy.url);
    let moved = 0;
    while (isCounting) moved += (await step(client, 100)).moved ?? 0;
    return moved;
  })();
  for (let round = 0; round < 150; round++) {
    for (const key of keys) await flush(key, timeOf(3, 4));
    await fold();
  }
  isCounting = false;
  expect(await moving).toBeGreaterThan(0);
  await fold();
  expect(await countsBy(sql, 'key_id')).toEqual(
    Object.fromEntries(keys.map(({ id }) => [id, 150])),
  );
  await moveAll(100);
  expect(await sumsOf(sql)).toMatchObject({ recent: 0, days: 450, hours: 450 });
});

it('two instances that move at once move each row once, and the second finds the lock and goes', async () => {
  for (let key = 0; key < 30; key++) await addRecent(sql, 3, 4, { key: `key_${key}` });
  await makePartitions();
  const other = await connect(copy.url);
  await other.query('begin');
  expect(await step(other, 10)).toMatchObject({ moved: 11 });
  const second = newRetention(database.orm);
  await second.run();
  const nothing = { lastSuccessAt: null, rows: 0, failures: 0 };
  for (const job of second.jobs) expect(job).toMatchObject(nothing);
  await other.query('commit');
  await Promise.all([1, 2, 3, 4].map(() => retain(database.orm)));
  await second.run();
  expect(await sumsOf(sql)).toMatchObject({ recent: 0, days: 30, hours: 30 });
});

it('a step moves a bounded number of rows, however many are due, also of one key', async () => {
  for (let daysAgo = 1; daysAgo <= 30; daysAgo++) {
    for (let hour = 0; hour < 8; hour++) await addRecent(sql, daysAgo, hour);
    await addRecent(sql, daysAgo, 0, { key: `key_${daysAgo}` });
  }
  const moved = await moveAll(20);
  expect(Math.max(...moved)).toBeLessThanOrEqual(40);
  expect(moved.reduce((sum, rows) => sum + rows)).toBe(270);
  expect(await sumsOf(sql)).toMatchObject({ recent: 0, days: 270 });
});

it('a step that takes too long is tried again with half of its rows', async () => {
  for (let key = 0; key < 300; key++) {
    await addRecent(sql, 3, 4, { key: `key_${key}` });
  }
  await makePartitions();
  await sql.query(`
    create function take_long() returns trigger language plpgsql as $$ begin
      if (select count(*) from added) > 100 then
        raise 'as long as that' using errcode = 'query_canceled';
      end if;
      return null;
    end $$;
    create trigger take_long after insert on usage_days referencing new table as added
      for each statement execute function take_long()`);
  expect(await retain(database.orm)).toBe(0);
  expect(await sumsOf(sql)).toMatchObject({ recent: 0, days: 300, hours: 300 });
});

it('days are in UTC whatever the time zone and the date style of the database', async () => {
  const name = new URL(copy.url).pathname.slice(1);
  await sql.query(`alter database ${name} set timezone = 'Pacific/Auckland'`);
  await sql.query(`alter database ${name} set datestyle = 'SQL, DMY'`);
  await database.close();
  database = (await startCacheFixture(copy.url)).database;
  for (const hour of [0, 11, 12, 23]) await addRecent(sql, 3, hour);
  for (const hour of [0, 23]) await addRecent(sql, 700, hour);
  await addRecent(sql, 30, 5);
  await sql.query(`insert into usage_unmatched values ('w', $1, 1)`, [instantOf(3, 23)]);
  expect(await retain(database.orm)).toBe(0);
  const { rows } = await sql.query(
    `select day::text, sum(count)::int as count from usage_days group by 1 order by 1`,
  );
  expect(rows).toEqual([
    { day: instantOf(30).slice(0, 10), count: 1 },
    { day: instantOf(3).slice(0, 10), count: 5 },
  ]);
  const months = await sql.query('select distinct month::text from usage_months');
  expect(months.rows).toEqual([{ month: `${instantOf(700).slice(0, 7)}-01` }]);
  expect(await retain(database.orm, { hours: 10 })).toBe(0);
  expect(await sumsOf(sql)).toMatchObject({ days: 6, hours: 5 });
});

it('days of one key become months in bounded steps, however many rows it has, and hold up no other', async () => {
  await sql.query('select make_usage_partitions($1, $2)', [
    instantOf(35),
    instantOf(500).slice(0, 10),
  ]);
  await sql.query(
    `insert into usage_days (workspace_id, key_id, day, secret_ref, code, count, units)
     select 'w', '', $1::date, '', 'VALID', 1, 1 from generate_series(1, 5000)
     union all select 'z', 'key', $1::date, 'ref', 'VALID', 7, 7`,
    [instantOf(480).slice(0, 10)],
  );
  const steps: number[] = [];
  for (let place = ['', '']; ; ) {
    const { rows } = await sql.query('select * from move_usage_days($1, $2, $3, $4)', [
      ...[instantOf(400).slice(0, 10), ...place, 500],
    ]);
    steps.push(rows[0].moved);
    if (rows[0].end_key === null) break;
    place = [rows[0].end_workspace, rows[0].end_key];
  }
  expect(Math.max(...steps)).toBeLessThanOrEqual(1000);
  expect(steps.reduce((sum, moved) => sum + moved, 0)).toBe(5001);
  const { rows } = await sql.query('select sum(count)::int as count from usage_months');
  expect(rows).toEqual([{ count: 5007 }]);
});
