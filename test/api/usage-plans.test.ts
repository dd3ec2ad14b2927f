import { PgDialect } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RangeQuery, rangeOf } from '../../src/usage/query/range.ts';
import type { UsageFilter } from '../../src/usage/query/rows.ts';
import type { Dimension } from '../../src/usage/query/schemas.ts';
import { groupsQuery, pointsQuery, type UsageSelection } from '../../src/usage/query/store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newTraffic, seedTraffic } from '../support/traffic-model.ts';

const DAY_MS = 86_400_000;
const TODAY = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const daysAgo = (days: number) => new Date(TODAY - days * DAY_MS).toISOString();

const traffic = newTraffic({
  seed: 5,
  workspaces: 3,
  owners: 20,
  keys: 300,
  days: 100,
  rowsEach: 60,
});
const KEY = traffic.keys[0]?.id ?? '';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await seedTraffic(client, traffic);
  const kept = [daysAgo(35), daysAgo(400).slice(0, 10)];
  await client.query('select make_usage_partitions($1, $2)', kept);
  await client.query(`select move_usage($1, $2, $3, '', '', 1000000)`, [daysAgo(0), ...kept]);
  await client.query('select move_unmatched_usage($1, $2, $3, 100000)', [daysAgo(0), ...kept]);
  await client.query('vacuum analyze');
  // Of so few rows, the planner would read each table whole.
  for (const means of ['seqscan', 'bitmapscan']) await client.query(`set enable_${means} = off`);
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

function selectionOf(
  groupBy: Dimension[],
  filter: UsageFilter,
  range: Partial<RangeQuery>,
): UsageSelection {
  const kept = { hours: 35, days: 400 };
  const query = { granularity: 'day', from: daysAgo(20), to: daysAgo(-1), ...range } as const;
  return {
    range: rangeOf(query, Date.now(), kept),
    ...{ filter, groupBy: new Set(groupBy), metric: 'verifications', order: '-metric' },
  };
}

async function planOf(selection: UsageSelection, timed = false): Promise<string> {
  const page = { keyId: KEY, id: 'x' };
  const query = timed
    ? pointsQuery(selection, [{ ...EMPTY, ...page }])
    : groupsQuery(selection, null, 51);
  const { sql, params } = new PgDialect().sqlToQuery(query);
  const { rows } = await client.query(`explain ${sql}`, params);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

const EMPTY = {
  ...{ workspaceId: null, ownerId: null, secretId: null, secretStart: null, code: null },
  ...{ kind: null, name: null, verifications: 0, units: 0 },
  ...{ totalVerifications: null, totalUnits: null },
};

/** The partitions that a plan reads. */
function partitionsIn(plan: string): string[] {
  return [
    ...new Set([...plan.matchAll(/ on (usage_(?:hours|days)_\d+)/g)].map(([, name]) => name ?? '')),
  ].sort();
}

function monthsFrom(from: string): string[] {
  const names = new Set<string>();
  for (let at = Date.parse(from); at <= TODAY; at += DAY_MS) {
    names.add(`usage_days_${new Date(at).toISOString().slice(0, 7).replace('-', '')}`);
  }
  return [...names].sort();
}

const WORKSPACE = { workspaceId: 'ws0' };

it.each<[string, Dimension[], UsageFilter]>([
  ['the top keys of a workspace', ['key'], WORKSPACE],
  ['its owners', ['owner'], WORKSPACE],
  ['its verdicts', ['code'], WORKSPACE],
  ['its total', [], WORKSPACE],
  ['one key', ['key', 'code'], { ...WORKSPACE, keyIds: [KEY] }],
  ['one owner', ['key'], { ...WORKSPACE, ownerId: 'customer_3' }],
  ['every workspace', ['workspace'], { workspaceId: null }],
  ['a key in whatever workspace it is', ['key'], { workspaceId: null, keyIds: [KEY] }],
  ['what a bound caller sees', ['key'], { ...WORKSPACE, ownSince: TODAY - 90 * DAY_MS }],
])(
  'usage of %s reads the indexes of the partitions of its range alone',
  async (_title, groupBy, filter) => {
    const plan = await planOf(selectionOf(groupBy, filter, {}));
    expect(partitionsIn(plan)).toEqual(monthsFrom(daysAgo(20)));
    expect(plan).not.toMatch(/(Seq|Heap) Scan on usage_/);
    for (const line of plan.split('\n').filter((text) => / on usage_days_/.test(text))) {
      expect(line).toContain('Index Only Scan');
    }
  },
);

it('the buckets of a page are read by the keys of the page, from the index alone', async () => {
  const plan = await planOf(selectionOf(['key'], WORKSPACE, {}), true);
  expect(partitionsIn(plan)).toEqual(monthsFrom(daysAgo(20)));
  const scans = plan.split('\n').filter((line) => /Index Only Scan .* on usage_days_/.test(line));
  expect(scans.length).toBe(monthsFrom(daysAgo(20)).length);
  expect(plan).toMatch(/Index Cond: \(\(workspace_id = 'ws0'::text\) AND \(key_id = ANY/);
});

it('usage by hour and of days of another time zone reads the weeks of its range alone', async () => {
  for (const range of [{ granularity: 'hour' }, { timeZone: 'Europe/Berlin' }] as const) {
    const plan = await planOf(selectionOf(['key'], WORKSPACE, { ...range, from: daysAgo(3) }));
    const weeks = partitionsIn(plan);
    expect(weeks.length).toBeGreaterThan(0);
    expect(weeks.length).toBeLessThanOrEqual(2);
    expect(weeks.every((name) => name.startsWith('usage_hours_'))).toBe(true);
    expect(plan).toContain('Index Only Scan using usage_hours_');
  }
});

it('usage by secret reads the rows of its key alone', async () => {
  const filter = { ...WORKSPACE, keyIds: [KEY] };
  const plan = await planOf(selectionOf(['secret'], filter, {}));
  expect(plan).not.toMatch(/Seq Scan on usage_/);
  expect(plan).toMatch(/Index Cond: \(\(workspace_id = 'ws0'::text\) AND \(key_id = ANY/);
});
