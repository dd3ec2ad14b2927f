import { type AnyColumn, type SQL, sql } from 'drizzle-orm';

/**
 * Whether a row of a workspace is of its present generation. A workspace id that was deleted and
 * made again may have another tenant, to whom what is older than the workspace does not exist.
 */
export function inCurrentGeneration(row: { workspaceId: AnyColumn; createdAt: AnyColumn }): SQL {
  return sql`${row.createdAt} >= (
    select w.created_at from workspaces w where w.id = ${row.workspaceId})`;
}
