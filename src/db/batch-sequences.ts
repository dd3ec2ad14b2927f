import { sql } from 'drizzle-orm';
import type { Transaction } from './database.ts';
import { batchSequences } from './schema.ts';

/**
 * Which batch of which instance: numbered upwards from 1 within a lane. The functions that apply
 * batches (write_usage, consume_limits) claim the number in their transaction, if it is higher than
 * the last one. Where it is not, the batch was applied before: a commit whose outcome was unknown did
 * happen. A first attempt that is still running holds the row, and the second waits for how it ends.
 * A gap is no reason to refuse: a database that lost its last commits, or was restored, is behind its
 * instances.
 */
export interface BatchId {
  instance: string;
  lane: string;
  sequence: number;
}

/** Forgets lanes of instances that have long ended. */
export async function deleteOldBatchSequences(tx: Pick<Transaction, 'delete'>): Promise<void> {
  await tx
    .delete(batchSequences)
    .where(sql`${batchSequences.updatedAt} < now() - interval '7 days'`);
}
