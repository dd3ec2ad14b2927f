import { sql } from 'drizzle-orm';
import type { Transaction } from '../db/database.ts';
import { managementKeys, workspaces } from '../db/schema.ts';
import { KeywardError } from '../errors.ts';

/**
 * Refuses a change whose management key was revoked since it was authenticated, or whose workspace
 * was suspended, though not by the change itself. Asked once the change has all its locks: a
 * workspace that it finds made again cannot have been changed without this seeing the end of the
 * former tenant's management keys, and a suspension writes to the log that the change holds.
 */
export async function requireInForce(tx: Transaction, callerId: string): Promise<void> {
  const { rows } = await tx.execute<{ revoked: boolean }>(sql`
    select caller.revoked_at is not null as revoked
      from ${managementKeys} caller
      left join ${workspaces} workspace on workspace.id = caller.workspace_id
     where caller.id = ${callerId}
       and case when caller.revoked_at is not null
                then caller.xmin <> pg_current_xact_id()::xid
                else workspace.status = 'suspended'
                     and workspace.xmin <> pg_current_xact_id()::xid end`);
  const [row] = rows;
  if (row) throw new KeywardError(row.revoked ? 'UNAUTHENTICATED' : 'WORKSPACE_SUSPENDED');
}
