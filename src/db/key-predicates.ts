import { type SQL, sql } from 'drizzle-orm';

/** What statements about keys (`k`) and their use (`u`) say in the same words, which their indexes have. */

export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

export const at = (time: Date | number) => sql`${new Date(time).toISOString()}::timestamptz`;

/** As the partial indexes say it. */
export const NOT_ENDED = sql`k.deleted_at is null and k.revoked_at is null`;

export const living = (now: Date | number) =>
  sql`${NOT_ENDED} and (k.expires_at is null or k.expires_at > ${at(now)})`;

/** Only the targets that are asked about, if any are. */
export function among(id: SQL, targets: readonly string[] | undefined): SQL {
  return targets ? sql`and ${id} = any(${sql.param([...targets])})` : sql``;
}

interface UnusedKeys {
  /** When they became idle. */
  since: SQL;
  where: (before: Date | number) => SQL;
}

/** Keys that nobody has used since then: those that were used, and those that never were. Each has its index. */
export const UNUSED_KEYS: Record<'used' | 'never', UnusedKeys> = {
  used: {
    since: sql`greatest(u.last_used_at, k.not_before)`,
    where: (before) => {
      const day = new Date(before).toISOString().slice(0, 10);
      return sql`u.last_used_day is not null and not u.ended and u.last_used_day <= ${day}::date
                 and greatest(u.last_used_at, k.not_before) < ${at(before)}`;
    },
  },
  never: {
    since: sql`greatest(k.created_at, k.not_before)`,
    where: (before) => sql`u.last_used_day is null and not u.ended
                           and greatest(k.created_at, k.not_before) < ${at(before)}`,
  },
};
