import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { startCacheFixture } from '../support/cache-fixture.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { launchForTest } from '../support/instance.ts';
import {
  addRecent,
  countsBy,
  DAY_MS,
  instantOf,
  retain,
  sumsOf,
  TODAY,
  timeOf,
} from '../support/kept-usage.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

let copy: TestDatabase;
let sql: pg.Client;
let database: Database;

beforeEach(async () => {
  copy = await createTestDatabase();
  sql = await connect(copy.url);
  await sql.query(`set timezone = 'UTC'`);
  database = (await startCacheFixture(copy.url)).database;
});
afterEach(async () => {
  await database.close();
  await copy.drop();
});

const partitions = async (parent: string): Promise<string[]> => {
  const { rows } = await sql.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits
      where inhparent = $1::regclass order by 1`,
    [parent],
  );
  return rows.map(({ name }) => name);
};

/** The Monday of its week. */
const weekOf = (time: number) => time - ((new Date(time).getUTCDay() + 6) % 7) * DAY_MS;
const nameOf = (prefix: string, time: number, length: number) =>
  `${prefix}_${new Date(time).toISOString().replaceAll('-', '').slice(0, length)}`;

/** One count a day, with 34 days of them by the hour. */
async function addDays(days: number): Promise<void> {
  for (let daysAgo = 1; daysAgo <= days; daysAgo++) await addRecent(sql, daysAgo, daysAgo % 24);
  expect(await retain(database.orm)).toBe(0);
}

it('hours are dropped by whole weeks once the last of them is older than the setting, and no figure by day changes', async () => {
  await addDays(50);
  const before = await countsBy(sql, 'day::text');
  expect(Object.keys(before)).toHaveLength(50);
  expect(await retain(database.orm, { hours: 10 })).toBe(0);
  const oldest = weekOf(timeOf(10));
  expect((await partitions('usage_hours'))[0]).toBe(nameOf('usage_hours', oldest, 8));
  const { rows } = await sql.query(
    'select min(hour) as first, count(*)::int as hours from usage_hours',
  );
  const days = (TODAY - oldest) / DAY_MS;
  expect(rows[0].hours).toBe(days);
  expect(rows[0].first.getTime()).toBe(timeOf(days, days % 24));
  expect(await countsBy(sql, 'day::text')).toEqual(before);
});

it('days become months once the whole month is older than the setting, and no figure by month changes', async () => {
  await addDays(120);
  const month = `date_trunc('month', day::timestamp)::date::text`;
  const before = await countsBy(sql, month);
  expect(await retain(database.orm, { days: 40 })).toBe(0);
  const first = `${instantOf(40).slice(0, 7)}-01`;
  const { rows } = await sql.query(
    `select (select min(day)::text from usage_days) as day,
            (select max(month)::text < $1 from usage_months) as older`,
    [first],
  );
  expect(rows).toEqual([{ day: first, older: true }]);
  expect((await partitions('usage_days'))[0]).toBe(nameOf('usage_days', Date.parse(first), 6));
  expect(await countsBy(sql, month)).toEqual(before);
  const { days, months, recent } = await sumsOf(sql);
  expect({ all: days + months, recent }).toEqual({ all: 120, recent: 0 });
  expect(months).toBeGreaterThan(0);
});

it('what comes late for a day that has become a month, or for hours that were dropped, is counted in its month or day', async () => {
  await addDays(3);
  await retain(database.orm, { hours: 10, days: 40 });
  const kept = { hours: 10, days: 40 };
  for (const daysAgo of [3, 20, 90]) await addRecent(sql, daysAgo, 4, { key: 'late', count: 5 });
  expect(await retain(database.orm, kept)).toBe(0);
  expect(await sumsOf(sql)).toMatchObject({ recent: 0, hours: 8, days: 13, months: 5 });
});

it.each(['usage_hours', 'usage_days'])(
  'a partition of %s that a reader holds is dropped by a later run, no connection is lost, and no reader waits longer than the attempt',
  async (table) => {
    const losses: string[] = [];
    database.onConnectionLoss(() => losses.push('lost'));
    await addDays(120);
    const before = await partitions(table);
    const reader = await connect(copy.url);
    await reader.query('begin');
    await reader.query(`select from ${table}`);
    const kept = { hours: 10, days: 40 };
    const running = retain(database.orm, kept);
    for (let isOver = false; !isOver; ) {
      isOver = await Promise.race([
        running.then(() => true),
        sql.query('select 1').then(() => false),
      ]);
      await sql.query(`select count(*) from ${table}`);
    }
    expect(await running).toBe(1);
    expect(await partitions(table)).toEqual(before);
    await reader.query('commit');
    expect(await retain(database.orm, kept)).toBe(0);
    expect((await partitions(table)).length).toBeLessThan(before.length);
    expect(losses).toEqual([]);
  },
);

it('a partition of days that still has counts is not dropped', async () => {
  await addDays(90);
  const all = await partitions('usage_days');
  const { rows } = await sql.query('select drop_usage_partition($1, $2) as name', [
    ...[instantOf(35), instantOf(35).slice(0, 10)],
  ]);
  // What is empty may go: the months before the first count.
  expect(all).toContain(rows[0].name);
  const sums = await sumsOf(sql);
  for (let name = rows[0].name; name !== ''; ) {
    const drop = `select drop_usage_partition('-infinity', 'infinity') as name`;
    name = (await sql.query(drop)).rows[0].name;
  }
  expect(await sumsOf(sql)).toEqual(sums);
});

it('no caller takes the hours of the last two days or the days of the last 35 from where they are read', async () => {
  for (const daysAgo of [1, 30]) await addRecent(sql, daysAgo, 23);
  await sql.query(`insert into usage_unmatched values ('w', $1, 1)`, [instantOf(1, 23)]);
  await retain(database.orm, {});
  await addRecent(sql, 1, 23, { key: 'late' });
  await sql.query(`insert into usage_unmatched values ('w', $1, 1)`, [instantOf(1, 23)]);
  await sql.query(`select move_usage($1, 'infinity', 'infinity', '', '', 100)`, [instantOf(0)]);
  await sql.query(`select move_unmatched_usage($1, 'infinity', 'infinity', 100)`, [instantOf(0)]);
  await sql.query(`select move_usage_days('infinity', '', '', 100)`);
  for (let name = null; name !== ''; ) {
    const drop = `select drop_usage_partition('infinity', 'infinity') as name`;
    name = (await sql.query(drop)).rows[0].name;
  }
  const { rows } = await sql.query(
    `select (select sum(count)::int from usage_hours where hour >= $1) as hours,
            (select sum(count)::int from usage_days where day >= $2) as days`,
    [instantOf(1), instantOf(35).slice(0, 10)],
  );
  expect(rows).toEqual([{ hours: 4, days: 5 }]);
});

it('the service counts, folds and answers while no job has run for two months, and the first run changes no figure by day', async () => {
  const instance = await launchForTest(copy.url);
  const { id, key } = await createKey(instance);
  const used = [60, 45, 30, 2, 0];
  const { ref } = (await sql.query('select ref from secrets where key_id = $1', [id])).rows[0];
  for (const daysAgo of used.slice(0, -1)) {
    await addRecent(sql, daysAgo, 3, { workspace: 'default', key: id, ref, count: 10 });
  }
  expect(await verdict(instance, key)).toBe('VALID');
  await instance.flush();
  const url = `/v1/keys/${id}/usage?granularity=day&from=${instantOf(61)}`;
  const { body } = await instance.call('GET', url);
  expect(body.total).toBe(41);
  expect(await retain(database.orm)).toBe(0);
  expect((await sumsOf(sql)).recent).toBe(1);
  expect((await instance.call('GET', url)).body).toEqual(body);
  expect(await verdict(instance, key)).toBe('VALID');
});

it('partitions are made once for what is kept and for what comes, also by several instances at once', async () => {
  await Promise.all([1, 2, 3, 4].map(() => retain(database.orm, { hours: 2, days: 35 })));
  const hours = await partitions('usage_hours');
  expect(hours).toContain(nameOf('usage_hours', weekOf(Date.now() + 7 * DAY_MS), 8));
  expect(hours[0]).toBe(nameOf('usage_hours', weekOf(timeOf(2)), 8));
  expect(await partitions('usage_days')).toContain(nameOf('usage_days', TODAY, 6));
  await retain(database.orm, { hours: 366, days: 3660 });
  expect((await partitions('usage_days')).length).toBeGreaterThanOrEqual(121);
  expect((await partitions('usage_hours')).length).toBeGreaterThanOrEqual(53);
});
