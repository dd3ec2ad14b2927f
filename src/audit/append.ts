import type { Orm, Transaction } from '../db/database.ts';
import type { Actor } from '../domain/caller.ts';
import type { Pepper } from '../domain/pepper.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { mapInTurns, partsOf } from '../lib/turns.ts';
import { type AuditEntry, type AuditOrigin, linkEntry } from './chain.ts';
import { requireRoom } from './growth.ts';
import { findNewestPepperId, insertEvents, type LogEnd, lockLogs } from './store.ts';

/** Who finds that a log does not end where its head says. */
const FINDER: Actor = { type: 'system', id: 'audit', onBehalfOf: null };

/** Composing a statement of them takes a few milliseconds. */
const STATEMENT = { items: 100, size: 262_144 };

/**
 * Appends entries to the logs of their workspaces. Meant as the last writes of a transaction:
 * the logs are locked from here to the commit, so writers wait for each other only that long. A log
 * that does not end where its head says is continued, so that no change fails for it, and says so.
 */
export async function appendAudit(
  tx: Transaction,
  entries: readonly AuditEntry[],
  origin: AuditOrigin,
  at: Date,
  pepper: Pepper | null,
): Promise<void> {
  if (entries.length === 0) return;
  const logs = await lockLogs(tx, new Set(entries.map(({ workspaceId }) => workspaceId)));
  requireRoom(entries, logs);
  const ends = new Map([...logs].map(([workspaceId, { end }]) => [workspaceId, end]));
  const append = async (own: readonly AuditEntry[], by: AuditOrigin) => {
    const linked = await mapInTurns(own, (entry) => linkEntry(entry, by, at, ends, pepper));
    const parts = partsOf(linked, STATEMENT, ({ payload }) => payload.length);
    for (const part of parts) await insertEvents(tx, part);
  };
  const breaks = [...logs].flatMap(([workspaceId, log]) => breakOf(workspaceId, log));
  if (breaks.length > 0) await append(breaks, { ...origin, actor: FINDER });
  await append(entries, origin);
}

/** What the head said, and behind which entry the log went on. */
function breakOf(workspaceId: string, { end, strayHead }: LogEnd): AuditEntry[] {
  if (!strayHead) return [];
  const target = { type: 'workspace' as const, id: workspaceId };
  return [
    { workspaceId, action: 'audit.break', target, before: { ...strayHead }, after: { ...end } },
  ];
}

/** A keyed log is not continued without the secret: anyone could have written such entries. */
class UnkeyedLogError extends OperatorError {
  override name = 'UnkeyedLogError';
}

/** For commands. The service itself continues the log rather than refuse every change. */
export async function requireKeyedAsBefore(
  orm: Orm,
  workspaceId: string,
  pepper: Pepper | null,
): Promise<void> {
  if (pepper) return;
  const pepperId = await findNewestPepperId(orm, workspaceId);
  if (pepperId === null) return;
  throw new UnkeyedLogError(
    `The audit log of ${workspaceId} is keyed; set KEYWARD_SECRET as the service has it (its id is ${pepperId}).`,
  );
}
