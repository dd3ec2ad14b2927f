import { createHash } from 'node:crypto';
import { and, arrayContains, eq, exists, gte, isNull, lt, type SQL, sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { keys, keyUsage, secrets } from '../db/schema.ts';
import type { CursorPosition } from '../http/cursor.ts';
import type { ListKeys } from './keys.listing.schemas.ts';
import { type KeyRecord, selectKeys, visible, withSecrets } from './keys.store.ts';

/** How a list can be sorted: what by, as which type, and which way. Ties go by id. */
const SORTS = {
  '-createdAt': {
    by: sql`${keys.createdAt}`,
    type: sql`timestamptz`,
    way: sql`desc`,
    next: sql`<`,
  },
  name: { by: sql`lower(${keys.name}) collate "C"`, type: sql`text`, way: sql`asc`, next: sql`>` },
  expiresAt: {
    by: sql`coalesce(${keys.expiresAt}, 'infinity'::timestamptz)`,
    type: sql`timestamptz`,
    way: sql`asc`,
    next: sql`>`,
  },
};

export interface ListedKey extends KeyRecord {
  sortValue: string;
}

/** One page of a workspace's keys, from where the page before ended. */
export async function listKeys(
  orm: Orm,
  workspaceId: string,
  query: ListKeys,
  after: CursorPosition | null,
  now: Date,
  limit: number,
): Promise<ListedKey[]> {
  const { by, type, way, next } = SORTS[query.sort];
  const beyond = after && sql`(${by}, ${keys.id}) ${next} (${after.value}::${type}, ${after.id})`;
  const rows = await selectKeys(orm, sql<string>`(${by})::text`)
    .where(and(visible(workspaceId), ...conditions(orm, query, now), beyond ?? undefined))
    .orderBy(sql`${by} ${way}`, sql`${keys.id} ${way}`)
    .limit(limit);
  const records = await withSecrets(orm, rows);
  return records.map((record, index) => ({ ...record, sortValue: rows[index]?.extra ?? '' }));
}

/** Names a list by its sort and filters: a cursor of one is refused by another. */
export function listName({ cursor, limit, ...rest }: ListKeys): string {
  const filters = JSON.stringify(Object.entries(rest).sort());
  return `keys:${createHash('sha256').update(filters).digest('hex').slice(0, 12)}`;
}

function conditions(orm: Orm, query: ListKeys, now: Date): (SQL | undefined)[] {
  const { search, start, ownerId, scope, prefix, neverUsed } = query;
  return [
    query.status && sql`${statusAt(now)} = any(${sql.param(query.status)}::text[])`,
    search === undefined ? undefined : sql`${keys.name} ilike ${`%${escapeLike(search)}%`}`,
    start === undefined ? undefined : hasSecretStarting(orm, start),
    ownerId === undefined ? undefined : eq(keys.ownerId, ownerId),
    scope === undefined ? undefined : arrayContains(keys.scopes, [scope]),
    prefix === undefined ? undefined : eq(keys.prefix, prefix),
    ...between(keys.createdAt, query.createdAfter, query.createdBefore),
    ...between(keys.expiresAt, query.expiresAfter, query.expiresBefore),
    ...between(keyUsage.lastUsedAt, query.lastUsedAfter, query.lastUsedBefore),
    neverUsed ? isNull(keyUsage.lastUsedAt) : undefined,
  ];
}

type Instant = typeof keys.createdAt | typeof keys.expiresAt | typeof keyUsage.lastUsedAt;

function between(column: Instant, from: string | undefined, to: string | undefined) {
  return [
    from === undefined ? undefined : gte(column, new Date(from)),
    to === undefined ? undefined : lt(column, new Date(to)),
  ];
}

/** The status as SQL; the same order as in domain/status.ts, which a test holds it to. */
export function statusAt(now: Date): SQL<string> {
  const time = now.toISOString();
  return sql<string>`case
    when ${keys.revokedAt} is not null then 'revoked'
    when not ${keys.enabled} then 'disabled'
    when ${keys.notBefore} > ${time}::timestamptz then 'scheduled'
    when ${keys.expiresAt} <= ${time}::timestamptz then 'expired'
    else 'active' end`;
}

/** Takes what lists show, with or without the ellipsis at its end. */
function hasSecretStarting(orm: Orm, start: string): SQL {
  const shown = start.endsWith('…') ? start : `${start}…`;
  return exists(
    orm
      .select({ one: sql`1` })
      .from(secrets)
      .where(and(eq(secrets.keyId, keys.id), eq(secrets.start, shown))),
  );
}

function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, (character) => `\\${character}`);
}
