import { and, eq, inArray, isNotNull, isNull, lt, or } from 'drizzle-orm';
import { anyOf } from '../db/any-of.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { alerts, workspaces } from '../db/schema.ts';
import type { AlertType } from '../domain/alert-types.ts';
import type { Actor } from '../domain/caller.ts';
import { newId } from '../domain/key-string.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import type { Found } from './condition.ts';

export type AlertRow = typeof alerts.$inferSelect;

/** Rows in one statement of housekeeping. */
const STEP = 1000;
const DAY_MS = 86_400_000;
/** Opened by what happens and not by the job, which looks at none of them. */
const TYPES_WITHOUT_CONDITION: readonly AlertType[] = ['key_leaked', 'webhook_disabled'];

/**
 * Opens an alert and puts it on the record, in the transaction of `write`. False if there is or was one
 * for the same cause. Of what is of no workspace, `workspaceId` is the default one, as in the audit log.
 */
export async function openAlert(
  write: WriteContext,
  alert: Found & { type: AlertType; workspaceId: string },
): Promise<boolean> {
  const { type, workspaceId, targetType, targetId, details } = alert;
  const row = { ...alert, id: newId('alert'), openedAt: write.at };
  const opened = await write.tx
    .insert(alerts)
    .values(row)
    .onConflictDoNothing()
    .returning({ id: alerts.id });
  if (opened.length === 0) return false;
  const target = { type: targetType, id: targetId };
  const after = { alertId: row.id, details };
  write.audit({ workspaceId, action: `alert.${type}`, target, before: null, after });
  return true;
}

/** Ends those of these alerts that are open, and puts that on the record. Returns how many. */
export async function endAlerts(write: WriteContext, ids: readonly string[]): Promise<number> {
  const ended = await endSilently(write, ids);
  for (const { id, type, workspaceId, targetType, targetId } of ended) {
    const target = { type: targetType, id: targetId };
    const after = { alertId: id, type };
    write.audit({ workspaceId, action: 'alert.ended', target, before: null, after });
  }
  return ended.length;
}

/** Ends what is open of a type about one thing, such as a webhook that was enabled again. */
export async function endAlertsOf(
  write: WriteContext,
  type: AlertType,
  targetId: string,
): Promise<number> {
  const open = await write.tx
    .select({ id: alerts.id })
    .from(alerts)
    .where(and(eq(alerts.targetId, targetId), eq(alerts.type, type), isNull(alerts.endedAt)));
  return endAlerts(
    write,
    open.map(({ id }) => id),
  );
}

/** Without a record: of a former tenant, whose workspace says that it is deleted. */
export function endSilently(
  { tx, at }: Pick<WriteContext, 'tx' | 'at'>,
  ids: readonly string[],
): Promise<AlertRow[]> {
  return tx
    .update(alerts)
    .set({ endedAt: at })
    .where(and(anyOf(alerts.id, ids), isNull(alerts.endedAt)))
    .returning();
}

export async function lockAlert(tx: Transaction, id: string): Promise<AlertRow | null> {
  const [row] = await tx.select().from(alerts).where(eq(alerts.id, id)).for('update');
  return row ?? null;
}

/** Of a locked alert. */
export async function acknowledgeAlert(
  { tx, at }: WriteContext,
  id: string,
  by: Actor,
  note: string | null,
): Promise<AlertRow> {
  const [row] = await tx
    .update(alerts)
    .set({ acknowledgedAt: at, acknowledgedBy: by, acknowledgeNote: note })
    .where(eq(alerts.id, id))
    .returning();
  if (!row) throw new Error('a locked row can be updated');
  return row;
}

/** Deletes some of those that ended long ago. */
export async function deleteEndedAlerts(orm: Orm, now: number, keptDays: number): Promise<void> {
  const old = orm
    .select({ id: alerts.id })
    .from(alerts)
    .where(lt(alerts.endedAt, new Date(now - keptDays * DAY_MS)))
    .orderBy(alerts.endedAt)
    .limit(STEP);
  await orm.delete(alerts).where(inArray(alerts.id, old));
}

/** Ends some of those of former tenants that the job does not end, without a record as it does. */
export async function endFormerAlerts(orm: Orm, at: Date): Promise<void> {
  const isFormer = or(isNotNull(workspaces.deletedAt), lt(alerts.openedAt, workspaces.createdAt));
  const former = orm
    .select({ id: alerts.id })
    .from(alerts)
    .innerJoin(workspaces, eq(workspaces.id, alerts.workspaceId))
    .where(and(isNull(alerts.endedAt), inArray(alerts.type, TYPES_WITHOUT_CONDITION), isFormer))
    .limit(STEP);
  await orm.update(alerts).set({ endedAt: at }).where(inArray(alerts.id, former));
}
