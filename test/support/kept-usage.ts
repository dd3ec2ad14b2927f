import type pg from 'pg';
import type { Orm } from '../../src/db/database.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { Retention, type RetentionOptions } from '../../src/retention/jobs.ts';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** The start of the present day. Functions of the database go by its clock, so tests seed the past. */
export const TODAY = Math.floor(Date.now() / DAY_MS) * DAY_MS;

export const KEPT = { hours: 35, days: 400, deletedKeys: 90, retiredSecrets: 90 };

export const timeOf = (daysAgo: number, hour = 0) => TODAY - daysAgo * DAY_MS + hour * HOUR_MS;
export const instantOf = (daysAgo: number, hour = 0) =>
  new Date(timeOf(daysAgo, hour)).toISOString();

/** Retention as an instance has it that has just started, at noon. */
export function newRetention(orm: Orm, options: Partial<RetentionOptions> = {}): Retention {
  return new Retention({
    orm,
    log: createLogger('silent'),
    clock: { now: () => TODAY + 12 * HOUR_MS },
    fold: { waitingMs: 0 },
    kept: KEPT,
    inTurn: (step) => step(),
    ...options,
  });
}

/** One run of it; how many steps failed. */
export async function retain(orm: Orm, kept: Partial<typeof KEPT> = {}): Promise<number> {
  const retention = newRetention(orm, { kept: { ...KEPT, ...kept } });
  await retention.run();
  return retention.jobs.reduce((sum, { failures }) => sum + failures, 0);
}

export interface Recent {
  key?: string;
  workspace?: string;
  ref?: string;
  code?: string;
  count?: number;
}

/** Counts of an hour that are folded, and not moved yet. */
export async function addRecent(
  sql: pg.ClientBase,
  daysAgo: number,
  hour: number,
  { key = 'key', workspace = 'w', ref = 'ref', code = 'VALID', count = 1 }: Recent = {},
): Promise<void> {
  await sql.query(
    `insert into usage_recent as u values ($1, $2, $3, $4, $5, $6, $6)
     on conflict (workspace_id, key_id, hour, secret_ref, code) do update set count = u.count + $6`,
    [workspace, key, instantOf(daysAgo, hour), ref, code, count],
  );
}

const PLACES = ['recent', 'unmatched', 'days', 'months', 'hours'] as const;
export type Sums = Record<(typeof PLACES)[number], number>;

/** The sum of the counts in each table. */
export async function sumsOf(sql: pg.ClientBase): Promise<Sums> {
  const texts = PLACES.map(
    (place) => `(select coalesce(sum(count), 0)::int from usage_${place}) as ${place}`,
  );
  const { rows } = await sql.query(`select ${texts}`);
  return rows[0];
}

/** Each count is in exactly one of these. */
const ALL_COUNTS = `
  select workspace_id, key_id, secret_ref, code, count, hour::date as day from usage_recent
  union all select workspace_id, '', '', 'NOT_FOUND', count, hour::date from usage_unmatched
  union all select workspace_id, key_id, secret_ref, code, count, day from usage_days
  union all select workspace_id, key_id, secret_ref, code, count, month from usage_months`;

/** The counts by what they are grouped by, wherever they are. */
export async function countsBy(sql: pg.ClientBase, group: string): Promise<Record<string, number>> {
  const { rows } = await sql.query<{ name: string; count: number }>(
    `select ${group} as name, sum(count)::int as count from (${ALL_COUNTS}) as u
      group by 1 order by 1`,
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

/** The backend that writes to the table ends at that point, until the function is dropped. */
export async function killAt(sql: pg.ClientBase, table: string): Promise<void> {
  await sql.query(`
    create function cut() returns trigger language plpgsql as $$
      begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(60); return new; end $$`);
  await sql.query(`
    create trigger cut before insert or update or delete on ${table}
      for each row execute function cut()`);
}
