import { and, eq, isNull, sql } from 'drizzle-orm';
import { keys, managementKeys } from '../db/schema.ts';
import { type Actor, DEFAULT_WORKSPACE } from '../domain/caller.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';

/** Why a key that its holder gave up is revoked. */
const GIVEN_UP = 'given_up';

/** False where the key was revoked or deleted meanwhile. */
export async function giveUpKey(change: WriteContext, id: string, actor: Actor): Promise<boolean> {
  const [key] = await change.tx
    .update(keys)
    .set({
      revokedAt: change.at,
      revokedBy: actor,
      revokeReason: GIVEN_UP,
      updatedAt: change.at,
      revision: sql`${keys.revision} + 1`,
    })
    .where(and(eq(keys.id, id), isNull(keys.revokedAt), isNull(keys.deletedAt)))
    .returning({ workspaceId: keys.workspaceId });
  if (!key) return false;
  change.audit({
    workspaceId: key.workspaceId,
    action: 'key.revoked',
    target: { type: 'key', id },
    before: { revokedAt: null, revokeReason: null },
    after: { revokedAt: change.at.toISOString(), revokeReason: GIVEN_UP },
  });
  return true;
}

/** False where it was revoked meanwhile. */
export async function giveUpManagementKey(
  change: WriteContext,
  id: string,
  actor: Actor,
): Promise<boolean> {
  const [key] = await change.tx
    .update(managementKeys)
    .set({
      revokedAt: change.at,
      revokedBy: actor,
      updatedAt: change.at,
      revision: sql`${managementKeys.revision} + 1`,
    })
    .where(and(eq(managementKeys.id, id), isNull(managementKeys.revokedAt)))
    .returning({ workspaceId: managementKeys.workspaceId });
  if (!key) return false;
  change.audit({
    // Keys of every workspace are on the record of the default one.
    workspaceId: key.workspaceId ?? DEFAULT_WORKSPACE,
    action: 'management_key.revoked',
    target: { type: 'management_key', id },
    before: { revokedAt: null },
    after: { revokedAt: change.at.toISOString() },
  });
  return true;
}
