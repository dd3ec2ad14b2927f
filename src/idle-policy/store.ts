import { and, asc, eq, gt, gte, isNull, lte, sql } from 'drizzle-orm';
import { anyOf } from '../db/any-of.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { alerts, keys, workspaces } from '../db/schema.ts';
import type { KeyRecord } from '../keys/key-records.ts';
import { selectKeys } from '../keys/key-records.ts';

type Reader = Orm | Transaction;
/** What the policy looks at. */
export type UsedKey = Pick<KeyRecord, 'key'> & { use: KeyRecord['use'] | null };
type Workspace = Pick<typeof workspaces.$inferSelect, 'id' | 'createdAt'>;

const PAGE = 100;

/** Ids of the next workspaces whose policy ends keys. A suspended one has no say in what is used. */
export async function findWorkspacesWithSteps(orm: Orm, after: string): Promise<string[]> {
  const { id, idlePolicy, deletedAt, status } = workspaces;
  const hasSteps = sql`coalesce(${idlePolicy} ->> 'disableAfterDays', ${idlePolicy} ->> 'revokeAfterDays') is not null`;
  const rows = await orm
    .select({ id })
    .from(workspaces)
    .where(and(gt(id, after), isNull(deletedAt), eq(status, 'active'), hasSteps))
    .orderBy(asc(id))
    .limit(PAGE);
  return rows.map((row) => row.id);
}

/** Not those of a former tenant of the workspace. */
function openWarnings({ id, createdAt }: Workspace) {
  return and(
    eq(alerts.workspaceId, id),
    eq(alerts.type, 'key_unused'),
    isNull(alerts.endedAt),
    gte(alerts.openedAt, createdAt),
  );
}

/** The next keys whose alert has been open since then. */
export async function findWarnedKeys(
  tx: Transaction,
  workspace: Workspace,
  { openedBefore, after, limit }: { openedBefore: Date; after: string; limit: number },
): Promise<string[]> {
  const { targetId, openedAt } = alerts;
  const rows = await tx
    .selectDistinct({ id: targetId })
    .from(alerts)
    .where(and(openWarnings(workspace), lte(openedAt, openedBefore), gt(targetId, after)))
    .orderBy(asc(targetId))
    .limit(limit);
  return rows.map(({ id }) => id);
}

/** Since when the alerts of these keys are open; of a key that has none, nothing. */
export async function readWarnings(
  db: Reader,
  workspace: Workspace,
  ids: readonly string[],
): Promise<Map<string, Date>> {
  const { targetId, openedAt } = alerts;
  const rows = await db
    .select({ targetId, openedAt })
    .from(alerts)
    .where(and(openWarnings(workspace), anyOf(targetId, ids)));
  return new Map(rows.map((row) => [row.targetId, row.openedAt]));
}

export function readUsedKeys(
  tx: Transaction,
  workspaceId: string,
  ids: readonly string[],
): Promise<UsedKey[]> {
  const inIt = and(eq(keys.workspaceId, workspaceId), anyOf(keys.id, ids), isNull(keys.deletedAt));
  return selectKeys(tx).where(inIt).orderBy(asc(keys.id));
}
