import type { Orm } from '../db/database.ts';
import type { Pepper } from '../domain/pepper.ts';
import { appendAudit } from './append.ts';
import type { AuditOrigin, Head } from './chain.ts';
import {
  beginRetention,
  deleteEventsThrough,
  findCheckpoint,
  findLastBefore,
  moveCheckpoint,
} from './store.ts';

export interface Cut {
  dropped: number;
  /** The last link that was dropped. */
  checkpoint: Head;
}

/**
 * Drops the front of a log, as far as it is older than a time, and never its head. The checkpoint
 * and an entry that records the cut commit with it. Null if there is nothing to drop.
 */
export function pruneLog(
  orm: Orm,
  workspaceId: string,
  before: Date,
  origin: AuditOrigin,
  pepper: Pepper | null,
): Promise<Cut | null> {
  return orm.transaction(async (tx) => {
    await beginRetention(tx);
    const checkpoint = await findLastBefore(tx, workspaceId, before);
    if (!checkpoint) return null;
    const dropped = await deleteEventsThrough(tx, workspaceId, checkpoint.sequence);
    const earlier = await findCheckpoint(tx, workspaceId);
    const cutAt = await moveCheckpoint(tx, workspaceId, checkpoint);
    const entry = {
      workspaceId,
      action: 'audit.pruned' as const,
      target: { type: 'workspace' as const, id: workspaceId },
      before: earlier && { ...earlier },
      after: { before: before.toISOString(), dropped, ...checkpoint },
    };
    await appendAudit(tx, [entry], origin, cutAt, pepper);
    return { dropped, checkpoint };
  });
}
