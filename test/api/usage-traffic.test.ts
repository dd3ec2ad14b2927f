import { parse } from 'csv-parse/sync';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
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

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const GROUPINGS: Grouping[] = ['workspace', 'owner', 'key', 'code', 'time'];
const EVERY = GROUPINGS.reduce<Grouping[][]>(
  (subsets, name) => [...subsets, ...subsets.map((subset) => [...subset, name])],
  [[]],
).filter((subset) => subset.length > 0);
/** Where each dimension is once, and all of them together. */
const SOME: Grouping[][] = [
  ['time'],
  ['owner', 'time'],
  ['key'],
  ['workspace', 'code', 'time'],
  ['owner', 'key', 'code'],
];

/** A month with all of today, and some days before that. */
const traffic = newTraffic({
  seed: 13,
  workspaces: 5,
  owners: 100,
  keys: 1000,
  days: 31,
  rowsEach: 12,
});
const before = newTraffic({
  seed: 31,
  workspaces: 5,
  owners: 100,
  keys: 1000,
  days: 31,
  rowsEach: 2,
});
for (const row of before.counted) row.hour -= 60 * DAY_MS;
let counted = [...traffic.counted, ...before.counted];

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

function labeller({ granularity, timeZone }: Asked): (instant: number) => string {
  const day = new Intl.DateTimeFormat('en-CA', { timeZone });
  if (granularity === 'hour') return (instant) => new Date(instant).toISOString().slice(0, 13);
  return (instant) => day.format(instant).slice(0, granularity === 'month' ? 7 : 10);
}

/** Reads all groups as CSV, and compares them with what was sent. */
async function expectExact(groupings: Grouping[][], asked: Asked, filter = ''): Promise<void> {
  const labelOf = labeller(asked);
  const from = new Date(Date.now() - asked.from * DAY_MS).toISOString();
  const since = labelOf(Date.parse(from));
  const within = counted.filter(({ hour }) => labelOf(hour) >= since);
  for (const groupBy of groupings) {
    const query = new URLSearchParams({ ...asked, workspaceId: '*', order: 'group', from });
    for (const name of groupBy) query.append('groupBy', name);
    const answer = await keyward.call('GET', `/v1/usage?${query}${filter}`, {
      headers: { accept: 'text/csv' },
    });
    expect(answer.status, answer.text).toBe(200);
    const { figures, lines } = figuresIn(answer.text, labelOf);
    const [, keyId] = /keyId=(\w+)/.exec(filter) ?? [];
    const expected = countDirectly(
      keyId === undefined ? within : within.filter((row) => row.keyId === keyId),
      groupBy,
      labelOf,
    );
    expect(figures, `${groupBy} ${JSON.stringify(asked)}`).toEqual(expected);
    // Buckets without use are there too, and each once.
    const groups = new Set([...expected.keys()].map((name) => name.replace(/^[^|]*/, '')));
    expect(lines % groups.size).toBe(0);
  }
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
  await expectExact([['time'], ['workspace', 'time']], {
    ...BY_DAY,
    granularity: 'hour',
    from: 30,
  });
}, 60_000);

it('every figure is the same in the days of another time zone', async () => {
  for (const timeZone of ['America/New_York', 'Asia/Tokyo']) {
    await expectExact(SOME, { ...BY_DAY, timeZone });
  }
});

it('every figure is the same once all but today is moved, and when counts of moved days come late', async () => {
  await move();
  await expectExact(EVERY, BY_DAY);
  const late = counted.filter((_, index) => index % 50 === 0);
  await insertCounted(sql, late);
  counted = [...counted, ...late];
  await expectExact(SOME, BY_DAY);
  await move();
  await expectExact(SOME, BY_DAY);
  await expectExact(SOME, { ...BY_DAY, timeZone: 'America/New_York' });
  await expectExact(SOME, { ...BY_DAY, granularity: 'month', from: 120 });
}, 60_000);

it('every figure is the same after weeks of hours were dropped and days became months', async () => {
  await sql.query('select * from move_usage_days($1, $2, $3, 1000000)', [
    daysAgo(40).slice(0, 10),
    '',
    '',
  ]);
  const dropped = [];
  for (;;) {
    const { rows } = await sql.query('select drop_usage_partition($1, $2) as name', [
      ...[daysAgo(14), daysAgo(80).slice(0, 10)],
    ]);
    if (rows[0].name === null) break;
    dropped.push(rows[0].name);
  }
  expect(dropped.some((name) => name.startsWith('usage_hours_'))).toBe(true);
  await restart({ hours: 14, days: 40 });
  await expectExact(SOME, BY_DAY);
  await expectExact(SOME, { ...BY_DAY, granularity: 'month', from: 120 });
  await expectExact([['key', 'time']], { ...BY_DAY, granularity: 'hour', from: 2 });
});

it('the usage of removed keys and strings stays in every other figure, as that of what was removed', async () => {
  const gone = traffic.keys.filter((_, index) => index % 10 === 0).map(({ id }) => id);
  await sql.query(
    `update keys set deleted_at = now() - interval '30 days', enabled = false where id = any($1)`,
    [gone],
  );
  await expectExact(SOME, BY_DAY);
  const { rows: removed } = await sql.query(
    `with done as (select remove_deleted_keys(now() - interval '20 days', 1000)) select count(*) from done`,
  );
  expect(removed.length).toBe(1);
  await sql.query(`select remove_retired_secrets(now() - interval '20 days', 10000)`);
  const { rows } = await sql.query('select id from keys');
  const keys = new Set(rows.map(({ id }) => id));
  const { rows: stringRows } = await sql.query('select id from secrets');
  const strings = new Set(stringRows.map(({ id }) => id));
  expect(keys.size).toBeLessThan(1000);
  counted = counted.map((row) => {
    if (row.keyId !== null && !keys.has(row.keyId)) {
      return { ...row, ownerId: null, keyId: null, secretId: null, kind: 'removed' };
    }
    return strings.has(row.secretId) ? row : { ...row, secretId: null };
  });
  await expectExact(EVERY, BY_DAY);
  await expectExact(SOME, { ...BY_DAY, granularity: 'month', from: 120 });
  for (const { id } of traffic.keys.slice(1, 10)) {
    await expectExact([['secret'], ['key', 'secret', 'code', 'time']], BY_DAY, `&keyId=${id}`);
  }
}, 60_000);

it('every figure is the same after a restart on a database of another time zone', async () => {
  await sql.query(
    `do $$ begin execute format('alter database %I set timezone to ''Asia/Kathmandu''', current_database()); end $$`,
  );
  await restart({ hours: 14, days: 40 });
  await expectExact(EVERY, BY_DAY);
  await expectExact([['key', 'time']], { ...BY_DAY, granularity: 'hour', from: 2 });
}, 60_000);
