import { sql } from 'drizzle-orm';
import type { Transaction } from './database.ts';
import { batchSequences } from './schema.ts';

/**
 * Numbers a batch, from 1 upwards in each stream of an instance. The functions that apply batches
 * (append_usage_log, try_consume_limits) claim the number in their transaction, if it is higher than the last
 * one; otherwise the batch has been applied before, and a commit whose outcome was unknown succeeded.
 * A second attempt waits for the row that the first one, still running, has locked. Gaps are allowed:
 * a database that lost its last commits, or was restored, is behind its instances.
 */
export interface BatchId {
  instance: string;
  stream: string;
  sequence: number;
}

/** Deletes the streams of instances that ended long ago. */
export async function deleteOldBatchSequences(tx: Pick<Transaction, 'delete'>): Promise<void> {
  await tx
    .delete(batchSequences)
    .where(sql`${batchSequences.updatedAt} < now() - interval '7 days'`);
}
