import { UNKNOWN_ACTOR } from '../db/stored-types.ts';
import { toIso } from '../domain/time.ts';
import type { Alert } from './schemas.ts';
import type { AlertRow } from './store.ts';

/** An alert as answers show it. */
export function presentAlert(row: AlertRow): Alert {
  const { id, workspaceId, type, targetType, targetId, details } = row;
  return {
    id,
    workspaceId,
    type,
    target: { type: targetType, id: targetId },
    details,
    state: row.endedAt ? 'ended' : 'open',
    openedAt: toIso(row.openedAt),
    endedAt: toIso(row.endedAt),
    acknowledgedAt: toIso(row.acknowledgedAt),
    acknowledgedBy: row.acknowledgedAt && (row.acknowledgedBy ?? UNKNOWN_ACTOR),
    acknowledgeNote: row.acknowledgeNote,
  };
}
