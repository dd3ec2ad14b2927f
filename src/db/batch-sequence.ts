import { type SQL, sql } from 'drizzle-orm';
import type { Transaction } from './database.ts';
import { batchSequences } from './schema.ts';

/** Which batch of which instance: numbered upwards from 1 within a lane. */
export interface BatchId {
  instance: string;
  lane: string;
  sequence: number;
}

/**
 * Advances a lane to this batch, by compare-and-set within the batch's own statement. Returns no row
 * where it has been applied before: then a commit whose outcome was unknown did happen. A first
 * attempt that is still running holds the row, and the second waits for how it ends. A gap is no
 * reason to refuse: a database that lost its last commits, or was restored, is behind its instances.
 */
export function claim({ instance, lane, sequence }: BatchId): SQL {
  return sql`
    insert into batch_sequences (instance, lane, sequence) values (${instance}, ${lane}, ${sequence})
    on conflict (instance, lane)
    do update set sequence = excluded.sequence, updated_at = now()
    where batch_sequences.sequence < excluded.sequence
    returning sequence`;
}

/** Forgets lanes of instances that have long ended. */
export async function dropOldLanes(tx: Pick<Transaction, 'delete'>): Promise<void> {
  await tx
    .delete(batchSequences)
    .where(sql`${batchSequences.updatedAt} < now() - interval '7 days'`);
}
