import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import { anyOf } from '../db/any-of.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { alerts } from '../db/schema.ts';
import type { AlertType } from '../domain/alert-types.ts';
import type { Actor } from '../domain/caller.ts';
import { newId } from '../domain/key-string.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import type { Found } from './condition.ts';

export type AlertRow = typeof alerts.$inferSelect;

/** Rows in one statement of housekeeping. */
const MAX_DELETED = 1000;

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

/** Clears away some of those that ended long ago. */
export async function deleteEndedAlerts(orm: Orm, keptDays: number): Promise<void> {
  const old = orm
    .select({ id: alerts.id })
    .from(alerts)
    .where(sql`${alerts.endedAt} < now() - make_interval(days => ${keptDays}::integer)`)
    .orderBy(alerts.endedAt)
    .limit(MAX_DELETED);
  await orm.delete(alerts).where(inArray(alerts.id, old));
}
