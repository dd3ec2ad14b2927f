import { type SQL, sql } from 'drizzle-orm';
import { toIso } from '../../domain/time.ts';
import { type Granularity, HOUR_MS } from './buckets.ts';
import type { UsageRange } from './range.ts';

/** Which counts are meant. What is left out does not narrow. */
export interface UsageFilter {
  /** Null: every workspace. */
  workspaceId: string | null;
  /** Since when a bound caller's workspace is its own: what was counted for no key before is not. */
  ownSince?: number | null;
  keyIds?: readonly string[] | undefined;
  /** The keys that these are of. */
  ownerId?: string | undefined;
  secretId?: string | undefined;
  codes?: readonly string[] | undefined;
}

/** `isUnmatched`: attempts that matched no key; other counts of no key are of removed ones. */
export type UsageColumn = 'workspaceId' | 'keyId' | 'secretRef' | 'code' | 'isUnmatched' | 'bucket';

interface Arm {
  table: SQL;
  time: SQL;
  type: 'date' | 'timestamptz';
}

const UNMATCHED = sql`(
  select workspace_id, '' as key_id, '' as secret_ref, 'NOT_FOUND' as code, hour, count,
         0::bigint as units from usage_unmatched) as unmatched`;

const HOURS: Arm = { table: sql`usage_hours`, time: sql`hour`, type: 'timestamptz' };
const DAYS: Arm = { table: sql`usage_days`, time: sql`day`, type: 'date' };
const MONTHS: Arm = { table: sql`usage_months`, time: sql`month`, type: 'date' };
/** What was not moved yet. */
const RECENT: readonly Arm[] = [
  { table: sql`usage_recent`, time: sql`hour`, type: 'timestamptz' },
  { table: UNMATCHED, time: sql`hour`, type: 'timestamptz' },
];

/** Each count is in exactly one of these tables. */
const ARMS: Record<Granularity, readonly Arm[]> = {
  hour: [HOURS, ...RECENT],
  day: [DAYS, ...RECENT],
  month: [MONTHS, DAYS, ...RECENT],
};

const COLUMNS = {
  workspaceId: sql`workspace_id`,
  keyId: sql`key_id`,
  secretRef: sql`secret_ref`,
  code: sql`code`,
  isUnmatched: sql`key_id = '' and code = 'NOT_FOUND'`,
};

/**
 * The counts of a range, with no more columns than are asked for, so that indexes answer alone.
 * Buckets are numbers from 1. Each arm is narrowed for itself: by partitions, and by its index.
 */
export function usageRows(
  range: UsageRange,
  filter: UsageFilter,
  columns: readonly UsageColumn[],
): SQL {
  const arms = ARMS[range.detail].map((arm) => {
    const shown = columns.map(
      (name) => sql`${columnOf(name, arm, range)} as ${sql.identifier(name)}`,
    );
    const where = sql.join(conditions(arm, range, filter), sql` and `);
    const selected = sql.join([...shown, sql`count`, sql`units`], sql`, `);
    return sql`select ${selected} from ${arm.table} where ${where}`;
  });
  return sql.join(arms, sql` union all `);
}

function columnOf(name: UsageColumn, { time, type }: Arm, { starts }: UsageRange): SQL {
  if (name !== 'bucket') return COLUMNS[name];
  const thresholds = sql.param(starts.map((start) => textOf(start, type)));
  return sql`width_bucket(${time}, ${thresholds}::${sql.raw(type)}[])`;
}

function conditions(
  { time, type }: Arm,
  { from, to, detail }: UsageRange,
  filter: UsageFilter,
): SQL[] {
  const { workspaceId, ownSince = null, keyIds, secretId, codes } = filter;
  const at = (instant: number) => sql`${textOf(instant, type)}::${sql.raw(type)}`;
  const keys = keysOf(filter);
  return [
    workspaceId === null ? everyWorkspace(keys) : sql`workspace_id = ${workspaceId}`,
    sql`${time} >= ${at(from)} and ${time} < ${at(to)}`,
    keyIds && sql`key_id = any(${sql.param([...keyIds])})`,
    keys && sql`key_id = any(array(select id ${keys}))`,
    secretId === undefined
      ? undefined
      : sql`secret_ref = (select ref from secrets where id = ${secretId})`,
    codes && sql`code = any(${sql.param([...codes])})`,
    ownSince === null
      ? undefined
      : sql`(key_id <> '' or ${time} >= ${at(wholeAfter(ownSince, detail))})`,
  ].filter((condition) => condition !== undefined);
}

/** All but the uses of management keys; where keys are named, theirs, which an index finds. */
function everyWorkspace(keys: SQL | undefined): SQL {
  if (!keys) return sql`workspace_id <> ''`;
  return sql`workspace_id = any(array(select workspace_id ${keys}))`;
}

/** Where the keys of an owner or a secret, or of every workspace, are found. */
function keysOf({ workspaceId, keyIds, ownerId, secretId }: UsageFilter): SQL | undefined {
  const found = [
    ownerId === undefined
      ? undefined
      : sql`owner_id = ${ownerId} and ${workspaceId === null ? sql`workspace_id = any(array(select id from workspaces))` : sql`workspace_id = ${workspaceId}`}`,
    secretId === undefined
      ? undefined
      : sql`id = (select key_id from secrets where id = ${secretId})`,
    workspaceId === null && keyIds && !keyIds.includes('')
      ? sql`id = any(${sql.param([...keyIds])})`
      : undefined,
  ].filter((condition) => condition !== undefined);
  return found.length === 0 ? undefined : sql`from keys where ${sql.join(found, sql` and `)}`;
}

function textOf(instant: number, type: Arm['type']): string {
  return type === 'date' ? toIso(instant).slice(0, 10) : toIso(instant);
}

/**
 * The first hour or day that begins then or later: of what is kept, so that it is the same before and after
 * counts are moved.
 */
function wholeAfter(instant: number, detail: UsageRange['detail']): number {
  const width = detail === 'hour' ? HOUR_MS : 24 * HOUR_MS;
  return Math.ceil(instant / width) * width;
}
