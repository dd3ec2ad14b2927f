import {
  and,
  arrayContains,
  eq,
  exists,
  gt,
  isNotNull,
  isNull,
  lt,
  lte,
  not,
  notExists,
  or,
  type SQL,
  sql,
} from 'drizzle-orm';
import type { Orm, Transaction } from '../../db/database.ts';
import { keys, keyUsage, secrets } from '../../db/schema.ts';
import type { KeyStatus } from '../../domain/status.ts';
import type { ListKeys } from './schemas.ts';

type Condition = SQL | undefined;
type Reader = Orm | Transaction;

/**
 * The filters of a list as SQL, each in the form that its index supports: docs/performance.md says
 * which index that is.
 */
export function conditions(db: Reader, query: ListKeys, now: Date): Condition[] {
  const { search, start, ownerId, scope, prefix, neverUsed } = query;
  return [
    query.status && or(...query.status.map((status) => hasStatus(status, now))),
    search === undefined ? undefined : sql`${keys.name} ilike ${`%${escapeLike(search)}%`}`,
    start === undefined ? undefined : hasSecretStarting(db, start),
    ownerId === undefined ? undefined : eq(keys.ownerId, ownerId),
    scope === undefined ? undefined : arrayContains(keys.scopes, [scope]),
    prefix === undefined ? undefined : eq(keys.prefix, prefix),
    ...between(keys.createdAt, query.createdAfter, query.createdBefore),
    ...expiring(query),
    ...unexpired(query, now),
    ...lastUsed(db, query),
    neverUsed ? notExists(use(db, isNotNull(keyUsage.lastUsedAt))) : undefined,
  ];
}

/**
 * Whether a key has the status; a test compares it with domain/status.ts. Spelled out for each
 * status, because no index supports a `case`.
 */
export function hasStatus(status: KeyStatus, now: Date): Condition {
  const enabled = and(isNull(keys.revokedAt), keys.enabled);
  const begun = or(isNull(keys.notBefore), lte(keys.notBefore, now));
  switch (status) {
    case 'revoked':
      return isNotNull(keys.revokedAt);
    case 'disabled':
      return and(isNull(keys.revokedAt), not(keys.enabled));
    case 'scheduled':
      return and(enabled, gt(keys.notBefore, now));
    case 'expired':
      return and(enabled, begun, lte(keys.expiresAt, now));
    case 'active':
      return and(enabled, begun, or(isNull(keys.expiresAt), gt(keys.expiresAt, now)));
  }
}

/** Keys that never expire come last in a list that is sorted by expiry. */
export const EXPIRY = sql`coalesce(${keys.expiresAt}, 'infinity'::timestamptz)`;

/** By the expression that the list is sorted by, so that one range of an index serves both. */
function expiring({ sort, expiresAfter, expiresBefore }: ListKeys): Condition[] {
  if (sort !== 'expiresAt') return between(keys.expiresAt, expiresAfter, expiresBefore);
  return [
    expiresAfter === undefined ? undefined : isNotNull(keys.expiresAt),
    ...between(EXPIRY, expiresAfter, expiresBefore),
  ];
}

/** Validity begins before it ends: a list by expiry need not pass all the keys that have expired. */
function unexpired({ sort, status = [] }: ListKeys, now: Date): Condition[] {
  const isLiving = status.every((one) => one === 'active' || one === 'scheduled');
  if (sort !== 'expiresAt' || status.length === 0 || !isLiving) return [];
  return [sql`${EXPIRY} > ${time(now.toISOString())}`];
}

type Instant = typeof keys.createdAt | typeof keys.expiresAt | typeof keyUsage.lastUsedAt | SQL;

function between(column: Instant, from: string | undefined, to: string | undefined): Condition[] {
  return [
    from === undefined ? undefined : sql`${column} >= ${time(from)}`,
    to === undefined ? undefined : sql`${column} < ${time(to)}`,
  ];
}

function time(text: string): SQL {
  return sql`${new Date(text).toISOString()}::timestamptz`;
}

/** Instances read one clock, at slightly different moments. */
const CLOCK_SLACK_MS = 60_000;

/** No key was used before it was created, so that newer keys need not be searched. */
function lastUsed(db: Reader, { lastUsedAfter, lastUsedBefore }: ListKeys): Condition[] {
  const range = between(keyUsage.lastUsedAt, lastUsedAfter, lastUsedBefore);
  if (range.every((bound) => bound === undefined)) return [];
  const used = exists(use(db, and(...range)));
  if (lastUsedBefore === undefined) return [used];
  return [used, lt(keys.createdAt, slightlyAfter(lastUsedBefore))];
}

/** Except in the last minute that RFC 3339 can express. */
function slightlyAfter(text: string): Date {
  const end = new Date(Date.parse(text) + CLOCK_SLACK_MS);
  return end.getUTCFullYear() > 9999 ? new Date(text) : end;
}

/** Not by an outer join: the planner cannot estimate how many rows have `last_used_at is null`. */
function use(db: Reader, condition: Condition) {
  return db
    .select({ one: sql`1` })
    .from(keyUsage)
    .where(and(eq(keyUsage.keyId, keys.id), condition));
}

/** Accepts what lists show, with or without the ellipsis at its end. */
function hasSecretStarting(db: Reader, start: string): SQL {
  const shown = start.endsWith('…') ? start : `${start}…`;
  return exists(
    db
      .select({ one: sql`1` })
      .from(secrets)
      .where(and(eq(secrets.keyId, keys.id), eq(secrets.start, shown))),
  );
}

function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, (character) => `\\${character}`);
}
