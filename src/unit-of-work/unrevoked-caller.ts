import { sql } from 'drizzle-orm';
import type { Transaction } from '../db/database.ts';
import { managementKeys } from '../db/schema.ts';
import { KeywardError } from '../errors.ts';

/**
 * Refuses a change whose management key was revoked since it was authenticated, though not by the
 * change itself. Asked once the change has its locks: a workspace that it then finds made again
 * cannot have been changed without this seeing the end of the former tenant's management keys.
 */
export async function requireUnrevoked(tx: Transaction, callerId: string): Promise<void> {
  const { rows } = await tx.execute(sql`
    select from ${managementKeys} caller
     where id = ${callerId} and revoked_at is not null
       and caller.xmin <> pg_current_xact_id()::xid`);
  if (rows.length > 0) throw new KeywardError('UNAUTHENTICATED');
}
