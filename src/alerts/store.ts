import { alerts } from '../db/schema.ts';
import type { AlertType } from '../domain/alert-types.ts';
import { newId } from '../domain/key-string.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import type { Found } from './condition.ts';

export type AlertRow = typeof alerts.$inferSelect;

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
