import { type SQL, sql } from 'drizzle-orm';
import { anyOf } from '../../db/any-of.ts';
import type { Orm, Transaction } from '../../db/database.ts';
import { isTimeout } from '../../db/errors.ts';
import { planSettings } from '../../db/plan-settings.ts';
import { keys } from '../../db/schema.ts';
import { readInstant } from '../../db/stored-types.ts';
import { KeywardError } from '../../errors.ts';
import { type KeyRecord, selectKeys, withSecrets } from '../../keys/key-records.ts';
import type { Scope } from '../../keys/store.ts';
import { hasNoActiveKey, type SectionQuery } from './sections.ts';

/** A figure for people: a section of more is read page by page. */
export const MAX_COUNT = 10_000;
const COUNT_TIMEOUT_MS = 500;
const PAGE_TIMEOUT_MS = 10_000;

/** Where a key of a section stands in its order. */
export interface SectionPosition {
  workspaceId: string;
  /** Null where all rows of the section have the same. */
  value: string | null;
  id: string;
}

export interface SectionRow extends SectionPosition {
  since: Date;
  record: KeyRecord;
}

/** At most one more than `MAX_COUNT`; null if the database does not find them in time. */
export async function countRows(orm: Orm, rows: SQL): Promise<number | null> {
  const count = sql`select count(*)::integer as count from (${rows}) counted`;
  try {
    const found = await inTime(orm, COUNT_TIMEOUT_MS, (tx) => tx.execute<{ count: number }>(count));
    return found.rows[0]?.count ?? 0;
  } catch (error) {
    if (isTimeout(error)) return null;
    throw error;
  }
}

/** Rows in the order of the section, as its index has them: for a page, and to be counted. */
export function rowsOf(
  query: SectionQuery,
  scope: Scope,
  after: SectionPosition | null,
  limit: number,
  bytes: SQL = sql`null`,
): SQL {
  const { from, where, workspaceId, order, id, since } = query;
  const value = order ? sql`(${order.by})::text` : sql`null`;
  const ordered = order ? sql`${order.by}, ${id}` : id;
  return sql`select ${workspaceId} as "workspaceId", ${value} as value, ${id} as id,
                    ${since} as since, ${bytes} as bytes
               from ${from}
              where ${where} and ${within(scope, workspaceId)} ${beyond(query, scope, after)}
              order by ${workspaceId}, ${ordered} limit ${limit}`;
}

/**
 * Keys of workspaces that exist: of one, that is known. Hashed once, whatever else the plan does; by an index,
 * since before Postgres 18 the cost of a scan that is off would hide all others.
 */
function within(scope: Scope, workspaceId: SQL): SQL {
  if (scope !== null) return sql`${workspaceId} = ${scope}`;
  return sql`${workspaceId} not in (select w.id from workspaces w where w.deleted_at is not null order by w.id)`;
}

/** As the columns of the index follow each other, so that a page begins where the last one ended. */
function beyond(query: SectionQuery, scope: Scope, after: SectionPosition | null): SQL {
  if (!after) return sql``;
  const { workspaceId, order, id } = query;
  const columns = [
    ...(scope === null ? [[workspaceId, sql`${after.workspaceId}`]] : []),
    ...(order ? [[order.by, sql`${after.value}::${order.type}`]] : []),
    [id, sql`${after.id}`],
  ];
  const [names, values] = [0, 1].map((side) =>
    sql.join(
      columns.map((pair) => pair[side]),
      sql`, `,
    ),
  );
  return sql`and (${names}) > (${values})`;
}

/** One page of the keys of a section, as one snapshot has them. */
export function readSection(
  orm: Orm,
  query: SectionQuery,
  scope: Scope,
  after: SectionPosition | null,
  limit: number,
): Promise<SectionRow[]> {
  return readPageInTime(orm, async (tx) => {
    const { rows } = await tx.execute<PageRow>(rowsOf(query, scope, after, limit));
    const ids = rows.map(({ id }) => id);
    const records = await withSecrets(tx, await selectKeys(tx).where(anyOf(keys.id, ids)));
    const byId = new Map(records.map((record) => [record.key.id, record]));
    return rows.flatMap(({ since, ...position }) => {
      const record = byId.get(position.id);
      return record ? [{ ...position, since: readInstant(since), record }] : [];
    });
  });
}

/** The bytes of the same keys. */
export function sizesOfSection(
  orm: Orm,
  query: SectionQuery,
  scope: Scope,
  after: SectionPosition | null,
  limit: number,
): Promise<number[]> {
  const bytes = sql`octet_length(k::text)`;
  return readPageInTime(orm, async (tx) => {
    const { rows } = await tx.execute<PageRow>(rowsOf(query, scope, after, limit, bytes));
    return rows.map((row) => row.bytes);
  });
}

interface PageRow extends Record<string, unknown>, SectionPosition {
  since: string;
  bytes: number;
}

/** An owner whose keys are all over, and how many there are. */
export interface OwnerRow extends Record<string, unknown> {
  workspaceId: string;
  ownerId: string;
  keys: number;
}

export function ownersOf(
  scope: Scope,
  now: number,
  after: { workspaceId: string; ownerId: string } | null,
  limit: number,
): SQL {
  const beyondIt = after
    ? sql`and (k.workspace_id, k.owner_id) > (${after.workspaceId}, ${after.ownerId})`
    : sql``;
  return sql`select k.workspace_id as "workspaceId", k.owner_id as "ownerId", count(*)::integer as keys
               from keys k
              where k.deleted_at is null and k.owner_id is not null
                and ${within(scope, sql`k.workspace_id`)} ${beyondIt}
              group by k.workspace_id, k.owner_id having ${hasNoActiveKey(now)}
              order by k.workspace_id, k.owner_id limit ${limit}`;
}

export function readOwners(orm: Orm, owners: SQL): Promise<OwnerRow[]> {
  return readPageInTime(orm, async (tx) => (await tx.execute<OwnerRow>(owners)).rows);
}

async function readPageInTime<T>(orm: Orm, read: (tx: Transaction) => Promise<T>): Promise<T> {
  try {
    return await inTime(orm, PAGE_TIMEOUT_MS, read);
  } catch (error) {
    throw isTimeout(error) ? new KeywardError('QUERY_TOO_BROAD') : error;
  }
}

function inTime<T>(orm: Orm, ms: number, read: (tx: Transaction) => Promise<T>): Promise<T> {
  const work = async (tx: Transaction) => {
    await tx.execute(planSettings(ms));
    return read(tx);
  };
  return orm.transaction(work, { isolationLevel: 'repeatable read', accessMode: 'read only' });
}
