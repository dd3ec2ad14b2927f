import { type SQL, sql } from 'drizzle-orm';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

export const at = (time: Date | number) => sql`${new Date(time).toISOString()}::timestamptz`;

/** As the partial indexes say it. */
export const NOT_ENDED = sql`k.deleted_at is null and k.revoked_at is null`;

export const living = (now: Date) =>
  sql`${NOT_ENDED} and (k.expires_at is null or k.expires_at > ${at(now)})`;

/** Only the targets that are asked about, if any are. */
export function among(id: SQL, targets: readonly string[] | undefined): SQL {
  return targets ? sql`and ${id} = any(${sql.param([...targets])})` : sql``;
}
