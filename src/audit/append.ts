import type { Orm, Transaction } from '../db/database.ts';
import type { Pepper } from '../domain/pepper.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { type AuditEntry, type AuditOrigin, linkEntries } from './chain.ts';
import { findNewestPepperId, insertEvents, lockHeads, moveHeads } from './store.ts';

/**
 * Appends entries to the logs of their workspaces. Meant as the last statements of a transaction:
 * the heads are locked from here to the commit, so writers wait for each other only that long.
 */
export async function appendAudit(
  tx: Transaction,
  entries: readonly AuditEntry[],
  origin: AuditOrigin,
  at: Date,
  pepper: Pepper | null,
): Promise<void> {
  if (entries.length === 0) return;
  const heads = await lockHeads(tx, new Set(entries.map(({ workspaceId }) => workspaceId)));
  await insertEvents(tx, linkEntries(entries, origin, at, heads, pepper));
  await moveHeads(tx, heads);
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
