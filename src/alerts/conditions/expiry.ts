import { type SQL, sql } from 'drizzle-orm';
import { among, at, DAY_MS, HOUR_MS, NOT_ENDED } from '../../db/key-predicates.ts';
import { readInstant } from '../../db/stored-types.ts';
import type { AlertType } from '../../domain/alert-types.ts';
import { toIso } from '../../domain/time.ts';
import type { Condition, FindInput, Found } from '../condition.ts';

/** What has been over for longer is known. */
const EXPIRED_DAYS = 7;
const USED_DAYS = 30;
/** The largest threshold. */
const MAX_DAYS = 365;

/** Keys of a kind (`k`), in the form that an index on their expiry supports. */
interface Kind {
  targetType: 'key' | 'management_key';
  types: { expiring: AlertType; expired: AlertType };
  from: SQL;
  workspaceId: SQL;
  /** Those that could be used otherwise. */
  inForce: SQL;
  expiry: SQL;
}

const KEYS: Kind = {
  targetType: 'key',
  types: { expiring: 'key_expiring', expired: 'key_expired' },
  from: sql`keys k`,
  workspaceId: sql`k.workspace_id`,
  inForce: sql`${NOT_ENDED} and k.enabled`,
  expiry: sql`coalesce(k.expires_at, 'infinity'::timestamptz)`,
};

const MANAGEMENT_KEYS: Kind = {
  targetType: 'management_key',
  types: { expiring: 'management_key_expiring', expired: 'management_key_expired' },
  from: sql`management_keys k`,
  workspaceId: sql`coalesce(k.workspace_id, 'default')`,
  inForce: sql`k.revoked_at is null and k.expires_at is not null`,
  expiry: sql`k.expires_at`,
};

interface Row extends Record<string, unknown> {
  id: string;
  expiresAt: string;
  days: number | null;
}

const days = (count: number | SQL) => sql`make_interval(hours => 24 * ${count}::integer)`;

/** What expires soon. The smallest threshold that is reached counts, and none that spans a whole life. */
function expiringQuery(kind: Kind, input: FindInput): SQL | null {
  const { workspace, now, limit, targets } = input;
  const thresholds = workspace.thresholds.expiringDays;
  if (thresholds.length === 0) return null;
  const { from, workspaceId, inForce, expiry } = kind;
  const until = at(now.getTime() + Math.max(...thresholds) * DAY_MS);
  return sql`select k.id, k.expires_at as "expiresAt", near.days
               from ${from} cross join lateral (
                 select min(t) as days from unnest(${sql.param(thresholds)}::integer[]) t
                  where k.expires_at <= ${at(now)} + ${days(sql`t`)}) near
              where ${workspaceId} = ${workspace.id} and ${inForce}
                and ${expiry} > ${at(now)} and ${expiry} <= ${until}
                and k.expires_at > k.created_at + ${days(sql`near.days`)}
                ${among(sql`k.id`, targets)}
              order by ${expiry}, k.id limit ${limit}`;
}

/** What has expired of late though it was in use, unless it was made for less than any threshold. */
function expiredQuery(kind: Kind, input: FindInput): SQL | null {
  const { workspace, now, limit, targets } = input;
  const thresholds = workspace.thresholds.expiringDays;
  if (thresholds.length === 0) return null;
  const { from, workspaceId, inForce, expiry } = kind;
  const since = (count: number) => at(now.getTime() - count * DAY_MS);
  return sql`select k.id, k.expires_at as "expiresAt", null as days
               from ${from} join key_usage u on u.key_id = k.id
              where ${workspaceId} = ${workspace.id} and ${inForce}
                and ${expiry} > ${since(EXPIRED_DAYS)} and ${expiry} <= ${at(now)}
                and k.expires_at > k.created_at + ${days(Math.min(...thresholds))}
                and u.last_used_at >= ${since(USED_DAYS)}
                ${among(sql`k.id`, targets)}
              order by ${expiry}, k.id limit ${limit}`;
}

function expiryCondition(
  kind: Kind,
  type: AlertType,
  query: (kind: Kind, input: FindInput) => SQL | null,
): Condition {
  return {
    type,
    everyMs: HOUR_MS,
    concerns: (now) => sql`exists (
      select from ${kind.from} where ${kind.workspaceId} = w.id and ${kind.inForce}
         and ${kind.expiry} > ${at(now.getTime() - EXPIRED_DAYS * DAY_MS)}
         and ${kind.expiry} < ${at(now.getTime() + MAX_DAYS * DAY_MS)})`,
    find: async (input) => {
      const statement = query(kind, input);
      const rows = statement ? await input.read<Row>(statement) : [];
      return rows.map((row) => toFound(kind, row));
    },
  };
}

function toFound({ targetType }: Kind, row: Row): Found {
  const expiresAt = toIso(readInstant(row.expiresAt));
  const cause = row.days === null ? expiresAt : `${expiresAt} ${row.days}`;
  const details = { expiresAt, ...(row.days !== null && { days: row.days }) };
  return { targetType, targetId: row.id, cause, details };
}

export const EXPIRY_CONDITIONS: readonly Condition[] = [KEYS, MANAGEMENT_KEYS].flatMap((kind) => [
  expiryCondition(kind, kind.types.expiring, expiringQuery),
  expiryCondition(kind, kind.types.expired, expiredQuery),
]);
