import { and, desc, eq, isNotNull, isNull, type SQL, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { inCurrentGeneration } from '../db/generation.ts';
import { alerts, managementKeys, webhooks } from '../db/schema.ts';
import type { CursorPosition } from '../http/cursor.ts';
import type { AlertRow } from './store.ts';

/**
 * The alerts that are meant; null: all of them. `ownOnly`: for a caller that is bound to the workspace,
 * neither those of a former tenant, nor of things of every workspace, which `default` has too.
 */
export type Scope = { workspaceId: string; ownOnly: boolean } | null;

export interface AlertFilter {
  type?: string;
  targetId?: string;
  state?: 'open' | 'ended';
  acknowledged?: boolean;
}

/** Newest first, after the last row of the page before. */
export function listAlerts(
  orm: Orm | Transaction,
  scope: Scope,
  filter: AlertFilter,
  after: CursorPosition | null,
  limit: number,
): Promise<AlertRow[]> {
  const isAfter =
    after && sql`(${alerts.openedAt}, ${alerts.id}) < (${after.value}::timestamptz, ${after.id})`;
  return orm
    .select()
    .from(alerts)
    .where(and(scopedTo(scope), ...conditionsOf(filter), isAfter ?? undefined))
    .orderBy(desc(alerts.openedAt), desc(alerts.id))
    .limit(limit);
}

export async function findAlert(
  db: Orm | Transaction,
  id: string,
  scope: Scope,
): Promise<AlertRow | null> {
  const [row] = await db
    .select()
    .from(alerts)
    .where(and(eq(alerts.id, id), scopedTo(scope)));
  return row ?? null;
}

function conditionsOf({ type, targetId, state, acknowledged }: AlertFilter) {
  const { endedAt, acknowledgedAt } = alerts;
  return [
    type === undefined ? undefined : eq(alerts.type, type),
    targetId === undefined ? undefined : eq(alerts.targetId, targetId),
    state === undefined ? undefined : state === 'open' ? isNull(endedAt) : isNotNull(endedAt),
    acknowledged === undefined
      ? undefined
      : acknowledged
        ? isNotNull(acknowledgedAt)
        : isNull(acknowledgedAt),
  ];
}

function scopedTo(scope: Scope): SQL | undefined {
  if (scope === null) return undefined;
  const inWorkspace = eq(alerts.workspaceId, scope.workspaceId);
  if (!scope.ownOnly) return inWorkspace;
  const { workspaceId, openedAt } = alerts;
  return and(
    inWorkspace,
    inCurrentGeneration({ workspaceId, createdAt: openedAt }),
    isOfItsWorkspace(),
  );
}

function isOfItsWorkspace(): SQL {
  const isOfAnother = (table: typeof managementKeys | typeof webhooks) => sql`exists (
    select from ${table}
     where ${table.id} = ${alerts.targetId}
       and ${table.workspaceId} is distinct from ${alerts.workspaceId})`;
  return sql`not ${isOfAnother(managementKeys)} and not ${isOfAnother(webhooks)}`;
}
