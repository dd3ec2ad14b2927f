import { sql } from 'drizzle-orm';
import type { Orm, Transaction } from './database.ts';

/** Shorter than the client's time-out, after which the connection counts as lost. */
const LOCK_TIMEOUT_MS = 1000;

/** A transaction that the server ends if it waits too long for a lock. */
export function withLockTimeout<T>(orm: Orm, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return orm.transaction(async (tx) => {
    await tx.execute(sql`select set_config('lock_timeout', ${String(LOCK_TIMEOUT_MS)}, true)`);
    return work(tx);
  });
}
