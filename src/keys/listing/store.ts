import { and, eq, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../../db/database.ts';
import { keys } from '../../db/schema.ts';
import type { CursorPosition } from '../../http/cursor.ts';
import { readInTime } from '../../http/read-in-time.ts';
import { type KeyRecord, selectKeys, withSecrets } from '../key-records.ts';
import { inExistingWorkspace, inWorkspace, type Scope } from '../store.ts';
import { conditions, EXPIRY } from './filters.ts';
import type { ListKeys } from './schemas.ts';

/** How a list can be sorted: the expression and its type, and the direction. Ties go by id. */
const SORTS = {
  '-createdAt': {
    by: sql`${keys.createdAt}`,
    type: sql`timestamptz`,
    way: sql`desc`,
    next: sql`<`,
  },
  name: { by: sql`lower(${keys.name}) collate "C"`, type: sql`text`, way: sql`asc`, next: sql`>` },
  expiresAt: {
    by: EXPIRY,
    type: sql`timestamptz`,
    way: sql`asc`,
    next: sql`>`,
  },
};

export interface ListedKey extends KeyRecord {
  sortValue: string;
}

/** Where a page begins, the time that statuses are derived at, and how many rows it has. */
export interface PageRequest {
  after: CursorPosition | null;
  now: Date;
  limit: number;
}

/** One page of the keys of a workspace (null: of all), after the last row of the page before. */
export async function listKeys(
  orm: Orm,
  scope: Scope,
  query: ListKeys,
  page: PageRequest,
): Promise<ListedKey[]> {
  const rows = await readInTime(orm, (tx) => pageOfKeys(tx, scope, query, page));
  const records = await withSecrets(orm, rows);
  return records.map((record, index) => ({ ...record, sortValue: rows[index]?.extra ?? '' }));
}

/** The bytes of the same keys. */
export async function sizesOfKeys(
  orm: Orm,
  scope: Scope,
  query: ListKeys,
  page: PageRequest,
): Promise<number[]> {
  const rows = await readInTime(orm, (tx) => idsOfPage(tx, scope, query, page));
  return rows.map(({ bytes }) => bytes);
}

/** Finds the page's keys first and joins the rest to them, so that their order can follow an index. */
export function pageOfKeys(
  db: Orm | Transaction,
  scope: Scope,
  query: ListKeys,
  request: PageRequest,
) {
  const { by } = SORTS[query.sort];
  const page = idsOfPage(db, scope, query, request).as('page');
  return selectKeys(db, sql<string>`(${by})::text`)
    .innerJoin(page, eq(page.id, keys.id))
    .orderBy(...orderOf(query));
}

function orderOf(query: ListKeys) {
  const { by, way } = SORTS[query.sort];
  return [sql`${by} ${way}`, sql`${keys.id} ${way}`];
}

function idsOfPage(
  db: Orm | Transaction,
  scope: Scope,
  query: ListKeys,
  { after, now, limit }: PageRequest,
) {
  const { by, type, next } = SORTS[query.sort];
  const beyond = after && sql`(${by}, ${keys.id}) ${next} (${after.value}::${type}, ${after.id})`;
  // One workspace is known to exist; a list of all of them leaves out the deleted ones.
  const listed = scope === null ? inExistingWorkspace(scope) : inWorkspace(scope);
  return db
    .select({ id: keys.id, bytes: sql<number>`octet_length(${keys}::text)`.as('bytes') })
    .from(keys)
    .where(and(listed, ...conditions(db, query, now), beyond ?? undefined))
    .orderBy(...orderOf(query))
    .limit(limit);
}
