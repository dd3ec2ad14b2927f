import { type Actor, DEFAULT_WORKSPACE } from '../domain/caller.ts';
import { toIso } from '../domain/time.ts';
import type { Reason } from '../http/schemas.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import { auditManagementKey } from './audit.ts';
import {
  findDisabledWebhooks,
  lockMade,
  lockManagementKey,
  type ManagementRow,
  revokeRows,
} from './store.ts';

export interface Revocation extends Reason {
  by: Actor;
  /** Whether the keys that it created, directly or not, are revoked with it. */
  includeCreated: boolean;
}

/**
 * Revokes a locked management key for good. Returns the ids of the keys that were revoked with it,
 * also if it was revoked without them before.
 */
export async function revokeManagementKey(
  write: WriteContext,
  key: ManagementRow,
  { by, includeCreated, reason, note }: Revocation,
): Promise<string[]> {
  const created = includeCreated ? await lockMade(write.tx, key.id) : [];
  const active = [key, ...created].filter(({ revokedAt }) => !revokedAt);
  await revokeRows(write.tx, active, by, write.at);
  const end = { revokedAt: toIso(write.at), reason: reason ?? null, note: note ?? null };
  for (const one of active) {
    const revokedWith = one.id === key.id ? {} : { revokedWith: key.id };
    const difference = { before: { revokedAt: null }, after: { ...end, ...revokedWith } };
    auditManagementKey(write, 'revoked', one, difference);
  }
  const ids = active.map(({ id }) => id);
  await auditDisabledWebhooks(write, ids);
  return ids.filter((id) => id !== key.id);
}

/** What a key made and that goes on without it would tell its holder of every change. */
async function auditDisabledWebhooks(write: WriteContext, keyIds: string[]): Promise<void> {
  for (const { id, workspaceId } of await findDisabledWebhooks(write.tx, keyIds, write.at)) {
    write.audit({
      workspaceId: workspaceId ?? DEFAULT_WORKSPACE,
      action: 'webhook.disabled',
      target: { type: 'webhook', id },
      before: { enabled: true, disabledReason: null },
      after: { enabled: false, disabledReason: 'creator_revoked' },
    });
  }
}

/** Revokes a management key, and what it created, on behalf of its holder. False if it was revoked meanwhile. */
export async function revokeOwnManagementKey(
  write: WriteContext,
  id: string,
  by: Actor,
): Promise<boolean> {
  const key = await lockManagementKey(write.tx, id, null);
  if (!key || key.revokedAt) return false;
  await revokeManagementKey(write, key, { by, includeCreated: true });
  return true;
}
