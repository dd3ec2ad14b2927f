import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { Database } from '../src/db/database.ts';
import { readInTime } from '../src/http/read-in-time.ts';
import { Retention, type RetentionOptions } from '../src/retention/jobs.ts';
import { rangeOf } from '../src/usage/query/range.ts';
import { readGroups } from '../src/usage/query/store.ts';
import { readUsage } from '../src/usage/store.ts';
import { type BenchEnv, withBenchEnv } from './harness/env.ts';
import { log, publish } from './harness/results.ts';
import { median, percentile, rounded } from './harness/statistics.ts';
import { walBytes } from './harness/wal.ts';
import { markEnded, revokeMost, timeSections } from './usage/hygiene.ts';
import { activeKey, daysAgo, type StoreSize, seedStore, workspaceOf } from './usage/seed.ts';

/**
 * How large the tables become, what is read and moved out of them, and how long the sections of the hygiene
 * report take: seeded keys, of which some were in use for eight hours a day. Sizes hold on any machine;
 * times do not.
 */
const MIB = 1024 * 1024;
const READS = 200;
const TOP = 20;
const TOP_READS = 11;
const KEPT = { hours: 35, days: 400, deletedKeys: 90, retiredSecrets: 90 };

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      keys: { type: 'string', default: '1000000' },
      active: { type: 'string', default: '100000' },
      workspaces: { type: 'string', default: '10' },
      days: { type: 'string', default: '90' },
    },
  });
  const [keys = 0, active = 0, workspaces = 0, days = 0] = [
    values.keys,
    values.active,
    values.workspaces,
    values.days,
  ].map(Number);
  await withBenchEnv((env) =>
    measureStore(env, { keys, active, workspaces, days, hourDays: KEPT.hours }),
  );
}

async function measureStore(env: BenchEnv, size: StoreSize): Promise<void> {
  const startedAt = performance.now();
  await seedStore(env, size);
  log(`seeded in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  await publish('usage-store-sizes', await sizes(env));
  const database = new Database({ url: env.databaseUrl, poolSize: 2, preparedStatements: true });
  try {
    await publish('usage-store-reads', [
      ...(await timeReads(env, database, size)),
      ...(await timeTops(database)),
    ]);
    await publish('hygiene-mixed', await timeSections(database));
    await publish('usage-store-move', [await timeMove(env, database)]);
    await revokeMost(env);
    await publish('hygiene-revoked', await timeSections(database));
    await markEnded(env);
    await publish('hygiene-revoked-marked', await timeSections(database));
  } finally {
    await database.close();
  }
  await publish('usage-store-copy', [await timeCopy(env)]);
}

/** Partitions count with their table. */
function sizes({ query }: BenchEnv): Promise<object[]> {
  return query(
    `select table_name as "table", sum(rows)::float8 as rows,
            round(sum(heap) / ${MIB}, 1)::float8 as "heap MiB",
            round(sum(indexes) / ${MIB}, 1)::float8 as "indexes MiB",
            round(sum(heap) / nullif(sum(rows), 0)::numeric)::float8 as "heap bytes/row",
            round(sum(indexes) / nullif(sum(rows), 0)::numeric)::float8 as "index bytes/row"
       from (select coalesce((select inhparent from pg_inherits where inhrelid = c.oid), c.oid)
                      ::regclass::text as table_name,
                    greatest(c.reltuples, 0) as rows, pg_table_size(c.oid) as heap,
                    pg_indexes_size(c.oid) as indexes
               from pg_class c
              where c.relnamespace = 'public'::regnamespace and c.relkind = 'r') as t
      group by 1 having sum(rows) > 0 order by sum(heap) + sum(indexes) desc`,
  );
}

/** The usage of single keys, spread over those that were in use, as the API reads it. */
async function timeReads(env: BenchEnv, { orm }: Database, size: StoreSize) {
  const rows = [];
  for (const [granularity, days] of [
    ['hour', 7],
    ['hour', 34],
    ['day', 30],
    ['day', 90],
  ] as const) {
    const range = rangeOfDays(days, granularity);
    const times: number[] = [];
    for (let read = 0; read < READS; read++) {
      const key = await activeKey(env, size, Math.floor((read * size.active) / READS));
      times.push(await timed(() => readUsage(orm, key, range)));
    }
    rows.push({ what: `a key, ${days} days by ${granularity}`, ...spread(times) });
  }
  return rows;
}

/** The largest of one workspace and of all, with their names, by the statement of `GET /v1/usage`. */
async function timeTops({ orm }: Database) {
  const rows = [];
  for (const [dimension, workspaceId, days] of [
    ['key', workspaceOf(0), 30],
    ['owner', workspaceOf(0), 30],
    ['key', workspaceOf(0), 90],
    ['code', workspaceOf(0), 30],
    ['key', null, 30],
    ['code', null, 30],
    ['workspace', null, 30],
  ] as const) {
    const times: number[] = [];
    for (let read = -1; read < TOP_READS; read++) {
      const selection = {
        ...{ range: rangeOfDays(days, 'day'), filter: { workspaceId } },
        ...({ groupBy: new Set([dimension]), metric: 'verifications', order: '-metric' } as const),
      };
      const ms = await timed(() =>
        readInTime(orm, (tx) => readGroups(tx, selection, null, TOP + 1)),
      );
      if (read >= 0) times.push(ms);
    }
    const where = workspaceId === null ? 'of all workspaces' : 'of a workspace';
    rows.push({ what: `top ${TOP} by ${dimension} ${where}, ${days} days`, ...spread(times) });
  }
  return rows;
}

function rangeOfDays(days: number, granularity: 'hour' | 'day') {
  const from = new Date(daysAgo(days)).toISOString();
  return rangeOf({ from, granularity }, Date.now(), { hours: 366, days: 400 });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function spread(times: readonly number[]) {
  const sorted = times.toSorted((a, b) => a - b);
  return {
    'least ms': rounded(sorted[0] ?? Number.NaN),
    'median ms': rounded(median(times)),
    'p99 ms': rounded(percentile(sorted, 0.99)),
  };
}

/** Moves yesterday, with the pauses that leave half of the time to others. */
async function timeMove(env: BenchEnv, database: Database) {
  const times: number[] = [];
  const retention = retentionOf(database, async (step) => {
    const startedAt = performance.now();
    const result = await step();
    times.push(performance.now() - startedAt);
    return result;
  });
  const [startedAt, wal] = [performance.now(), await walBytes(env)];
  await retention.run();
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    rows: retention.jobs.find(({ name }) => name === 'move_recent')?.rows,
    steps: times.length,
    'longest step ms': rounded(Math.max(...times)),
    'at work s': rounded(times.reduce((sum, ms) => sum + ms, 0) / 1000),
    'with pauses s': rounded(seconds),
    'WAL MiB': rounded(((await walBytes(env)) - wal) / MIB),
  };
}

function retentionOf({ orm }: Database, inTurn: RetentionOptions['inTurn']): Retention {
  return new Retention({
    orm,
    log: pino({ level: 'warn' }),
    // Later than a quarter past midnight.
    clock: { now: () => Date.parse(daysAgo(0)) + 43_200_000 },
    fold: { waitingMs: 0 },
    kept: KEPT,
    inTurn,
  });
}

/** What the migration to these tables does with the rows of before, which it cannot do in steps. */
async function timeCopy({ query }: BenchEnv) {
  await query(
    `create table usage_before as select key_id, hour, secret_ref, code, count, units
       from usage_hours limit 1000000`,
  );
  await query('analyze usage_before');
  await query('create table usage_copy (like usage_recent including all)');
  const startedAt = performance.now();
  await query(
    `insert into usage_copy (workspace_id, key_id, hour, secret_ref, code, count, units)
     select case when s.key_id like 'mk\\_%' then '' else coalesce(s.workspace_id, '') end,
            h.key_id, h.hour, h.secret_ref, h.code, h.count, h.units
       from usage_before h join secrets s on s.ref = h.secret_ref`,
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const [row] = await query<{ rows: number }>('select count(*)::int as rows from usage_copy');
  const rows = row?.rows ?? 0;
  return { rows, seconds: rounded(seconds), 's per million': rounded((seconds * 1e6) / rows) };
}

await main();
