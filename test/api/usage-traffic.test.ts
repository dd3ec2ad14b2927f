import { parse } from 'csv-parse/sync';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import {
  countDirectly,
  type Figures,
  type Grouping,
  insertCounted,
  nameOf,
  newTraffic,
  seedTraffic,
} from '../support/traffic-model.ts';

const DAY_MS = 86_400_000;
// Thousands of figures in each.
vi.setConfig({ testTimeout: 60_000 });
const GROUPINGS: Grouping[] = ['workspace', 'owner', 'key', 'code', 'time'];
const EVERY = subsetsOf(GROUPINGS).filter((subset) => subset.length > 0);
/** Each dimension once, with the longest chain of joins. */
const SOME: Grouping[][] = [['time'], ['owner', 'time'], ['workspace', 'code'], ['owner', 'key']];

function subsetsOf([first, ...rest]: Grouping[]): Grouping[][] {
  if (first === undefined) return [[]];
  const without = subsetsOf(rest);
  return [...without, ...without.map((subset) => [first, ...subset])];
}

/** A month with all of today, and some days before that. */
const traffic = newTraffic({
  seed: 13,
  workspaces: 5,
  owners: 100,
  keys: 1000,
  days: 31,
  rowsEach: 12,
});
const earlier = newTraffic({
  seed: 31,
  workspaces: 5,
  owners: 100,
  keys: 1000,
  days: 31,
  rowsEach: 2,
});
for (const row of earlier.counted) row.hour -= 60 * DAY_MS;
let counted = [...traffic.counted, ...earlier.counted];

let database: TestDatabase;
let keyward: Instance;
let sql: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  await seedTraffic(sql, { keys: traffic.keys, counted });
  keyward = await launch(database.url);
});
afterAll(async () => {
  await sql.end();
  await keyward.stop();
  await database.drop();
});

interface Asked {
  granularity: 'hour' | 'day' | 'month';
  timeZone: string;
  /** Days before now. */
  from: number;
}

const BY_DAY: Asked = { granularity: 'day', timeZone: 'UTC', from: 31 };

/** What a calendar in the zone shows, which nothing of the service has computed. */
function labeller({ granularity, timeZone }: Asked): (instant: number) => string {
  const day = new Intl.DateTimeFormat('en-CA', { timeZone });
  const known = new Map<number, string>();
  const labelOf = (instant: number) =>
    granularity === 'hour'
      ? new Date(instant).toISOString().slice(0, 13)
      : day.format(instant).slice(0, granularity === 'month' ? 7 : 10);
  return (instant) => {
    const label = known.get(instant) ?? labelOf(instant);
    known.set(instant, label);
    return label;
  };
}

/** Of each key, buckets of some days are enough. */
const DAYS_OF_KEYS = 3;

/** Reads all groups as CSV, and compares them with what was sent. */
async function expectExact(groupings: Grouping[][], asked: Asked, keyId?: string): Promise<void> {
  const labelOf = labeller(asked);
  for (const groupBy of groupings) {
    const isLong = groupBy.includes('key') && groupBy.includes('time') && keyId === undefined;
    const days = isLong ? Math.min(asked.from, DAYS_OF_KEYS) : asked.from;
    const from = new Date(Date.now() - days * DAY_MS).toISOString();
    const { granularity, timeZone } = asked;
    const query = new URLSearchParams({
      granularity,
      timeZone,
      workspaceId: '*',
      order: 'group',
      from,
    });
    for (const name of groupBy) query.append('groupBy', name);
    if (keyId !== undefined) query.append('keyId', keyId);
    const headers = { accept: 'text/csv' };
    const { status, text } = await keyward.call('GET', `/v1/usage?${query}`, { headers });
    expect(status, text).toBe(200);
    const since = labelOf(Date.parse(from));
    const sent = counted.filter(
      (row) => labelOf(row.hour) >= since && (keyId === undefined || row.keyId === keyId),
    );
    const expected = countDirectly(sent, groupBy, labelOf);
    const { figures, lines } = figuresIn(text, labelOf);
    expect(differencesOf(figures, expected), `${groupBy} ${JSON.stringify(asked)}`).toEqual([]);
    // Buckets without use are there too.
    const groups = new Set([...expected.keys()].map((name) => name.replace(/^[^|]*/, '')));
    expect(lines % groups.size).toBe(0);
  }
}

/** `toEqual` compares large maps slowly. */
function differencesOf(figures: Figures, expected: Figures): string[] {
  const names = new Set([...figures.keys(), ...expected.keys()]);
  return [...names].flatMap((name) => {
    const [found, sent] = [String(figures.get(name)), String(expected.get(name))];
    return found === sent ? [] : [`${name}: ${found} instead of ${sent}`];
  });
}

function figuresIn(text: string, labelOf: (instant: number) => string) {
  const figures: Figures = new Map();
  const rows: Record<string, string>[] = parse(text, { columns: true });
  for (const row of rows) {
    const { start = '', workspaceId = '', ownerId = '', keyId = '' } = row;
    const { secretId = '', code = '', kind = '' } = row;
    const sums: [number, number] = [Number(row.verifications), Number(row.units)];
    if (sums[0] === 0) continue;
    const label = start === '' ? '' : labelOf(Date.parse(start));
    const name = nameOf({ workspaceId, ownerId, keyId, secretId, code, kind }, label);
    expect(figures.has(name)).toBe(false);
    figures.set(name, sums);
  }
  return { figures, lines: rows.length };
}

const today = () => new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS).toISOString();
const daysAgo = (days: number) => new Date(Date.parse(today()) - days * DAY_MS).toISOString();

async function move(): Promise<void> {
  const kept = [daysAgo(42), daysAgo(400).slice(0, 10)];
  await sql.query('select make_usage_partitions($1, $2)', kept);
  let position: [string, string] = ['', ''];
  for (;;) {
    const { rows } = await sql.query('select * from move_usage($1, $2, $3, $4, $5, 3000)', [
      ...[today(), ...kept, ...position],
    ]);
    if (rows[0].end_key === null) break;
    position = [rows[0].end_workspace, rows[0].end_key];
  }
  await sql.query('select move_unmatched_usage($1, $2, $3, 100000)', [today(), ...kept]);
}

async function restart(retention: { hours: number; days: number }): Promise<void> {
  await keyward.stop();
  keyward = await launch(database.url, {
    retention: { ...retention, deletedKeys: 90, retiredSecrets: 90 },
  });
}

it('every figure of every grouping of a month of traffic is what was sent', async () => {
  await expectExact(EVERY, BY_DAY);
  await expectExact(SOME, { ...BY_DAY, granularity: 'month', from: 120 });
  await expectExact([['time'], ['code', 'time']], { ...BY_DAY, granularity: 'hour', from: 30 });
});

it('every figure of traffic is the same in the days of another time zone', async () => {
  for (const timeZone of ['America/New_York', 'Asia/Tokyo']) {
    await expectExact(SOME, { ...BY_DAY, timeZone });
  }
});

it('every figure of traffic is the same once all but today is moved, and when counts of moved days come late', async () => {
  await move();
  await expectExact(SOME, BY_DAY);
  const late = counted.filter((_, index) => index % 50 === 0);
  await insertCounted(sql, late);
  counted = [...counted, ...late];
  await expectExact(SOME, BY_DAY);
  await move();
  await expectExact(SOME, BY_DAY);
  await expectExact(SOME, { ...BY_DAY, timeZone: 'America/New_York' });
});

it('every figure of traffic is the same after weeks of hours were dropped and days became months', async () => {
  const moved = await sql.query('select * from move_usage_days($1, $2, $3, 1000000)', [
    ...[daysAgo(40).slice(0, 10), '', ''],
  ]);
  expect(moved.rows[0].moved).toBeGreaterThan(0);
  const before = await hoursKept();
  await dropPartitions();
  expect(await hoursKept()).toBeLessThan(before - 1);
  await restart({ hours: 14, days: 40 });
  await expectExact(SOME, BY_DAY);
  await expectExact(SOME, { ...BY_DAY, granularity: 'month', from: 120 });
  await expectExact([['key', 'time']], { ...BY_DAY, granularity: 'hour', from: 2 });
});

async function dropPartitions(): Promise<void> {
  const before = [daysAgo(14), daysAgo(80).slice(0, 10)];
  const drop = 'select drop_usage_partition($1, $2) as name';
  while ((await sql.query(drop, before)).rows[0].name !== '');
}

async function hoursKept(): Promise<number> {
  const { rows } = await sql.query(
    `select count(*)::int as count from pg_inherits where inhparent = 'usage_hours'::regclass`,
  );
  return rows[0].count;
}

it('the usage of removed keys and strings stays in every other figure, as that of what was removed', async () => {
  const gone = traffic.keys.filter((_, index) => index % 10 === 0).map(({ id }) => id);
  await sql.query(`update keys set deleted_at = now() - interval '30 days' where id = any($1)`, [
    gone,
  ]);
  await expectExact(SOME, BY_DAY);
  await sql.query(`select remove_deleted_keys(now() - interval '20 days', 1000)`);
  await sql.query(`select remove_retired_secrets(now() - interval '20 days', 10000)`);
  const keys = await idsOf('keys');
  const strings = await idsOf('secrets');
  expect(keys.size).toBeLessThan(1000);
  expect(strings.size).toBeLessThan(1234);
  counted = counted.map((row) => {
    if (row.keyId === null) return row;
    if (keys.has(row.keyId)) return strings.has(row.secretId) ? row : { ...row, secretId: null };
    return { ...row, ownerId: null, keyId: null, secretId: null, kind: 'removed' };
  });
  await expectExact(SOME, BY_DAY);
  await expectExact(SOME, { ...BY_DAY, granularity: 'month', from: 120 });
  for (const { id } of traffic.keys.slice(1, 8)) {
    await expectExact([['secret'], ['key', 'secret', 'code', 'time']], BY_DAY, id);
  }
});

async function idsOf(table: 'keys' | 'secrets'): Promise<Set<string | null>> {
  const { rows } = await sql.query(`select id from ${table}`);
  return new Set(rows.map(({ id }) => id));
}

it('every figure of every grouping is the same after a restart on a database of another time zone', async () => {
  await sql.query(
    `do $$ begin execute format('alter database %I set timezone to ''Asia/Kathmandu''', current_database()); end $$`,
  );
  await restart({ hours: 14, days: 40 });
  await expectExact(EVERY, BY_DAY);
  await expectExact([['key', 'time']], { ...BY_DAY, granularity: 'hour', from: 2 });
});
