import { sql } from 'drizzle-orm';
import type { Transaction } from './database.ts';
import { batchSequences } from './schema.ts';

/** Which batch of which instance: numbered upwards from 1 within a lane. */
export interface BatchId {
  instance: string;
  lane: string;
  sequence: number;
}

/**
 * Advances a lane to this batch, by compare-and-set in the batch's own transaction. False where it
 * has been applied before: then a commit whose outcome was unknown did happen. A first attempt
 * that is still running holds the row, and the second waits for how it ends. A gap is no reason to
 * refuse: a database that lost its last commits, or was restored, is behind its instances.
 */
export async function claimBatch(tx: Transaction, batch: BatchId): Promise<boolean> {
  const claimed = await tx
    .insert(batchSequences)
    .values(batch)
    .onConflictDoUpdate({
      target: [batchSequences.instance, batchSequences.lane],
      set: { sequence: sql`excluded.sequence`, updatedAt: sql`now()` },
      setWhere: sql`${batchSequences.sequence} < excluded.sequence`,
    })
    .returning({ sequence: batchSequences.sequence });
  return claimed.length === 1;
}

/** Forgets lanes of instances that have long ended. */
export async function dropOldLanes(tx: Pick<Transaction, 'delete'>): Promise<void> {
  await tx
    .delete(batchSequences)
    .where(sql`${batchSequences.updatedAt} < now() - interval '7 days'`);
}
