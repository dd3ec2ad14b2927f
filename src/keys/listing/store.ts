import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../../db/database.ts';
import { keys, workspaces } from '../../db/schema.ts';
import type { CursorPosition } from '../../http/cursor.ts';
import { readInTime } from '../../http/read-in-time.ts';
import { type KeyRecord, selectKeys, withSecrets } from '../key-records.ts';
import { inWorkspace, type Scope } from '../store.ts';
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

function idsOfPage(db: Orm | Transaction, scope: Scope, query: ListKeys, request: PageRequest) {
  if (scope === null) return idsOfAll(db, query, request);
  const { id, bytes } = COLUMNS;
  return db
    .select({ id, bytes })
    .from(keys)
    .where(and(inWorkspace(scope), ...wanted(db, query, request)))
    .orderBy(...orderOf(query))
    .limit(request.limit);
}

const COLUMNS = {
  id: keys.id,
  bytes: sql<number>`octet_length(${keys}::text)`.as('bytes'),
};

/** The first of each existing workspace, of which each index knows the order, and of these the first. */
function idsOfAll(db: Orm | Transaction, query: ListKeys, request: PageRequest) {
  const { by, way } = SORTS[query.sort];
  const first = db
    .select({ ...COLUMNS, position: sql`${by}`.as('position') })
    .from(keys)
    .where(
      and(eq(keys.workspaceId, workspaces.id), inWorkspace(null), ...wanted(db, query, request)),
    )
    .orderBy(...orderOf(query))
    .limit(request.limit)
    .as('first');
  return db
    .select({ id: first.id, bytes: first.bytes })
    .from(workspaces)
    .innerJoinLateral(first, sql`true`)
    .where(isNull(workspaces.deletedAt))
    .orderBy(sql`${first.position} ${way}`, sql`${first.id} ${way}`)
    .limit(request.limit);
}

function wanted(db: Orm | Transaction, query: ListKeys, { after, now }: PageRequest) {
  const { by, type, next } = SORTS[query.sort];
  const beyond = after && sql`(${by}, ${keys.id}) ${next} (${after.value}::${type}, ${after.id})`;
  return [...conditions(db, query, now), beyond ?? undefined];
}
