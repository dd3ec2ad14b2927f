import { canonicalIpRanges } from '../domain/ip.ts';
import type { JsonObject } from '../domain/json.ts';
import { KeywardError } from '../errors.ts';
import { lifetime } from '../http/lifetime.ts';
import { ensureQuotaRow } from '../quotas/consumption-store.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import { auditKey } from './audit.ts';
import { updateIfChanged } from './key-change.ts';
import { checkMetadata, mergeMetadata } from './metadata.ts';
import { checkLifetime, checkMutability, checkScopes } from './policy-checks.ts';
import { policyVersionOf } from './policy-version.ts';
import { toQuotaColumns } from './quota-columns.ts';
import type { PatchKey } from './schemas/requests.ts';
import { isExpired, type KeyChanges, type KeyRow, updateKey } from './store.ts';
import { enforceKeyQuota, readPolicies, type WorkspacePolicies } from './workspace-policies.ts';

/** Applies a merge patch to a locked key, as its workspace's policies allow. */
/** `locked` are the policies of the key's workspace, if they have been locked before the key. */
export async function patchKey(
  write: WriteContext,
  key: KeyRow,
  patch: PatchKey,
  locked: WorkspacePolicies | null,
): Promise<void> {
  if (key.revokedAt) throw new KeywardError('KEY_REVOKED');
  const policies = locked ?? (await readPolicies(write.tx, key.workspaceId));
  const changes = await allowedChanges(write, key, patch, policies);
  const patched = await updateIfChanged(write, 'updated', key, changes);
  const { rateLimits, credits } = patch;
  if (rateLimits || credits) await ensureQuotaRow(write, patched, credits, key);
  if (credits?.remaining === undefined) return;
  auditKey(write, 'credits_changed', key, { after: { credits: credits.remaining } });
  await updateKey(write.tx, key.id, { updatedAt: write.at });
}

/** Whether the patch can revive an expired key, which then counts as active again. */
export function changesExpiry({ expiresAt, expiresInSeconds }: PatchKey): boolean {
  return expiresAt !== undefined || expiresInSeconds !== undefined;
}

async function allowedChanges(
  write: WriteContext,
  key: KeyRow,
  patch: PatchKey,
  policies: WorkspacePolicies,
) {
  const { tx, at } = write;
  const revives = changesExpiry(patch) && isExpired(key, at);
  checkMutability(policies, patch);
  checkScopes(policies, patch.scopes ?? []);
  const changes = changedColumns(key, patch, at);
  if (changesExpiry(patch)) checkLifetime(policies, { ...key, ...changes }, at);
  if (revives) await enforceKeyQuota(tx, policies, at);
  return changes;
}

function changedColumns(key: KeyRow, patch: PatchKey, at: Date): KeyChanges {
  const { notBefore, expiresAt, expiresInSeconds, metadata, rateLimits, credits, ...plain } = patch;
  const changes = {
    ...plain,
    ...(plain.allowedIps && { allowedIps: canonicalIpRanges(plain.allowedIps) }),
    ...lifetime(key, { notBefore, expiresAt, expiresInSeconds }, at),
    ...toQuotaColumns({ rateLimits, credits }, key),
    ...(metadata !== undefined && { metadata: patchedMetadata(key, metadata) }),
  };
  const version = policyVersionOf({ ...key, ...changes });
  // Never lower than before: a newer version of Keyward may have set it.
  return { ...changes, minPolicyVersion: Math.max(key.minPolicyVersion, version) };
}

function patchedMetadata(key: KeyRow, patch: JsonObject | null): JsonObject {
  const metadata = mergeMetadata(key.metadata, patch);
  checkMetadata(metadata);
  return metadata;
}
