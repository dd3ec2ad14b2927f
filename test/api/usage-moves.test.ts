import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';

const DAY_MS = 86_400_000;
const TODAY = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const KINDS = ['recent', 'days', 'months', 'hours'] as const;

let database: TestDatabase;
let sql: pg.Client;

beforeEach(async () => {
  database = await createTestDatabase();
  sql = await connect(database.url);
  await sql.query(`set timezone = 'Asia/Tokyo'`);
});
afterEach(() => database.drop());

const at = (daysAgo: number, hour = 0) =>
  new Date(TODAY - daysAgo * DAY_MS + hour * 3_600_000).toISOString();

async function count(key: string, daysAgo: number, hour: number, number = 1): Promise<void> {
  await sql.query(
    `insert into usage_recent as u values ('w', $1, $2, 'ref', 'VALID', $3, $3)
     on conflict (workspace_id, key_id, hour, secret_ref, code) do update set count = u.count + $3`,
    [key, at(daysAgo, hour), number],
  );
}

async function sums(): Promise<Record<string, number>> {
  const texts = KINDS.map(
    (kind) => `(select coalesce(sum(count), 0)::int from usage_${kind}) as ${kind}`,
  );
  const { rows } = await sql.query(`select ${texts}`);
  return rows[0];
}

const KEPT = [at(35), at(400).slice(0, 10)];

async function moveAll(maxRows: number, before = at(0)): Promise<number> {
  await sql.query('select make_usage_partitions($1, $2)', KEPT);
  let steps = 0;
  for (let place = ['', '']; ; steps++) {
    const { rows } = await sql.query('select * from move_usage($1, $2, $3, $4, $5, $6)', [
      ...[before, ...KEPT, ...place, maxRows],
    ]);
    if (rows[0].end_key === null) return steps;
    place = [rows[0].end_workspace, rows[0].end_key];
  }
}

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
      await count(`key_${key}`, daysAgo, hour, 2);
    }
  }
  expect(await sums()).toEqual({ recent: 240, days: 0, months: 0, hours: 0 });
  expect(await moveAll(7)).toBeGreaterThan(5);
  expect(await sums()).toEqual({ recent: 40, days: 160, months: 40, hours: 120 });
  await count('key_1', 1, 3, 5);
  await moveAll(1000);
  expect(await sums()).toEqual({ recent: 40, days: 165, months: 40, hours: 125 });
  const { rows } = await sql.query(
    `select day::text, sum(count)::int as count from usage_days where key_id = 'key_1' group by 1 order by 1`,
  );
  expect(rows).toEqual([
    { day: at(100).slice(0, 10), count: 2 },
    { day: at(20).slice(0, 10), count: 2 },
    { day: at(1).slice(0, 10), count: 9 },
  ]);
});
