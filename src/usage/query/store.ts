import { eq, type SQL, sql } from 'drizzle-orm';
import type { Transaction } from '../../db/database.ts';
import { workspaces } from '../../db/schema.ts';
import type { UsageRange } from './range.ts';
import { type UsageColumn, type UsageFilter, usageRows } from './rows.ts';
import type { Dimension } from './schemas.ts';

/** What a query asks for, resolved. */
export interface UsageSelection {
  range: UsageRange;
  filter: UsageFilter;
  groupBy: ReadonlySet<Dimension>;
  metric: 'verifications' | 'units';
  order: '-metric' | 'group';
}

export interface GroupPosition {
  value: string;
  id: string;
}

export interface GroupRow extends Record<string, unknown> {
  /** Of all that it is grouped by: groups are sorted by it where they are alike. */
  id: string;
  workspaceId: string | null;
  ownerId: string | null;
  keyId: string | null;
  secretId: string | null;
  secretStart: string | null;
  code: string | null;
  kind: string | null;
  name: string | null;
  verifications: number;
  units: number;
  /** Of all groups; null unless asked for. */
  totalVerifications: number | null;
  totalUnits: number | null;
}

export interface PointRow extends Record<string, unknown> {
  id: string;
  /** The number of the bucket, from 1. */
  bucket: number;
  verifications: number;
  units: number;
}

/** When a workspace was created, also one that was deleted since; null if there was none. */
export async function findCreation(tx: Transaction, workspaceId: string): Promise<Date | null> {
  const [found] = await tx
    .select({ createdAt: workspaces.createdAt })
    .from(workspaces)
    .where(eq(workspaces.id, workspaceId));
  return found?.createdAt ?? null;
}

/** One page of groups; the first one with what all groups have together. */
export async function readGroups(
  tx: Transaction,
  selection: UsageSelection,
  after: GroupPosition | null,
  limit: number,
): Promise<GroupRow[]> {
  const { rows } = await tx.execute<GroupRow>(groupsQuery(selection, after, limit));
  return rows;
}

export function groupsQuery(
  selection: UsageSelection,
  after: GroupPosition | null,
  limit: number,
): SQL {
  const { metric, order } = selection;
  const value = sql.identifier(metric);
  const largestFirst = order === '-metric';
  const by = largestFirst ? sql`g.${value} desc, g.id desc` : sql`g.id`;
  const beyond = largestFirst
    ? sql`(g.${value}, g.id) < (${after?.value}::bigint, ${after?.id})`
    : sql`g.id > ${after?.id}`;
  // Counted before the page is cut off, so that it needs no second statement.
  const total = (name: 'verifications' | 'units') =>
    after === null ? sql`(sum(g.${sql.identifier(name)}) over ())::float8` : sql`null::float8`;
  return sql`
    select g.id, g."workspaceId", g."ownerId", g."keyId", g."secretId", g."secretStart", g.code, g.kind,
           k.name, g.verifications::float8, g.units::float8, g."totalVerifications", g."totalUnits"
      from (select g.*, ${total('verifications')} as "totalVerifications",
                   ${total('units')} as "totalUnits"
              from (${groups(selection)}) as g
             where ${after === null ? sql`true` : beyond} order by ${by} limit ${limit}) as g
      left join keys k on k.id = g."keyId"
     order by ${by}`;
}

/** The buckets of these groups that are not empty. */
export async function readPoints(
  tx: Transaction,
  selection: UsageSelection,
  page: readonly GroupRow[],
): Promise<PointRow[]> {
  const { rows } = await tx.execute<PointRow>(pointsQuery(selection, page));
  return rows;
}

export function pointsQuery(selection: UsageSelection, page: readonly GroupRow[]): SQL {
  const ids = sql.param(page.map(({ id }) => id));
  return sql`
    select g.id, g.bucket, g.verifications::float8, g.units::float8
      from (${groups(narrowedTo(page, selection), true)}) as g where g.id = any(${ids})`;
}

/** An index finds the rows of a page's keys. */
function narrowedTo(page: readonly GroupRow[], selection: UsageSelection): UsageSelection {
  if (!selection.groupBy.has('key')) return selection;
  const keyIds = page.map(({ keyId }) => keyId ?? '');
  return { ...selection, filter: { ...selection.filter, keyIds } };
}

/**
 * The counts by group, and by bucket if so asked. Rows are added up by key before keys are looked at:
 * there are far fewer of those.
 */
function groups({ range, filter, groupBy }: UsageSelection, byBucket = false): SQL {
  const isBound = (filter.ownSince ?? null) !== null;
  const ofKeys = groupBy.has('owner') || groupBy.has('key') || groupBy.has('secret');
  const columns: UsageColumn[] = [
    ...(groupBy.has('workspace') ? (['workspaceId'] as const) : []),
    ...(ofKeys || isBound ? (['keyId'] as const) : []),
    ...(ofKeys ? (['isUnmatched'] as const) : []),
    ...(groupBy.has('secret') ? (['secretRef'] as const) : []),
    ...(groupBy.has('code') ? (['code'] as const) : []),
    ...(byBucket ? (['bucket'] as const) : []),
  ];
  const names = columns.map((name) => sql.identifier(name));
  const summed = sql`
    select ${sql.join([...names, sql`sum(count) as count`, sql`sum(units) as units`], sql`, `)}
      from (${usageRows(range, filter, columns)}) as r
     ${names.length > 0 ? sql`group by ${sql.join(names, sql`, `)}` : sql``}`;
  const shown = dimensionsOf(groupBy, byBucket);
  const joins = [
    groupBy.has('owner') || isBound ? sql`left join keys k on k.id = u."keyId"` : undefined,
    groupBy.has('secret') ? sql`left join secrets s on s.ref = u."secretRef"` : undefined,
  ].filter((join) => join !== undefined);
  const own = isBound
    ? sql`where u."keyId" = '' or k.created_at >= ${new Date(filter.ownSince ?? 0).toISOString()}`
    : sql``;
  return sql`
    select ${sql.join(
      shown.map(([name, value]) => sql`${value} as ${sql.identifier(name)}`),
      sql`, `,
    )}, sum(u.count)::bigint as verifications, sum(u.units)::bigint as units
      from (${summed}) as u ${sql.join(joins, sql` `)} ${own}
     group by ${sql.join(
       shown.map((_, index) => sql.raw(String(index + 1))),
       sql`, `,
     )}
    having sum(u.count) is not null`;
}

/** What groups are shown by; null where they are not grouped by it. */
function dimensionsOf(groupBy: ReadonlySet<Dimension>, byBucket: boolean): [string, SQL][] {
  const ifBy = (dimension: Dimension, value: SQL) =>
    groupBy.has(dimension) ? value : sql`null::text`;
  const dimensions: [string, SQL][] = [
    ['workspaceId', ifBy('workspace', sql`u."workspaceId"`)],
    ['ownerId', ifBy('owner', sql`k.owner_id`)],
    ['keyId', ifBy('key', sql`nullif(u."keyId", '')`)],
    ['secretId', ifBy('secret', sql`s.id`)],
    ['secretStart', ifBy('secret', sql`s.start`)],
    ['code', ifBy('code', sql`u.code`)],
    ['kind', kindOf(groupBy)],
  ];
  const named = dimensions.filter(([name]) => name !== 'secretStart');
  const id = sql.join(
    named.map(([, value]) => sql`coalesce(${value}, '')`),
    sql`, `,
  );
  // No owner, id or code contains the separator.
  return [
    ['id', sql`concat_ws(chr(31), ${id}) collate "C"`],
    ...dimensions,
    ['bucket', byBucket ? sql`u.bucket` : sql`null::integer`],
  ];
}

function kindOf(groupBy: ReadonlySet<Dimension>): SQL {
  if (!groupBy.has('owner') && !groupBy.has('key') && !groupBy.has('secret'))
    return sql`null::text`;
  const isRemoved = groupBy.has('secret')
    ? sql`u."keyId" = '' or u."secretRef" = ''`
    : sql`u."keyId" = ''`;
  return sql`case when u."isUnmatched" then 'unmatched' when ${isRemoved} then 'removed' else 'key' end`;
}
