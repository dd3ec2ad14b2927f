import { canonicalIpRanges } from '../domain/ip.ts';
import type { JsonObject } from '../domain/json.ts';
import { KeywardError } from '../errors.ts';
import { lifetime } from '../http/lifetime.ts';
import { ensureQuotaRow } from '../quotas/consumption-store.ts';
import { differs } from '../unit-of-work/difference.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import { auditKey } from './audit.ts';
import { updateIfChanged } from './key-change.ts';
import { checkSize } from './key-size.ts';
import { checkMetadata, mergeMetadata } from './metadata.ts';
import { checkLifetime, checkMutability, checkScopes } from './policy-checks.ts';
import { policyVersionOf } from './policy-version.ts';
import { toQuotaColumns } from './quota-columns.ts';
import type { PatchKey } from './schemas/requests.ts';
import { isExpired, type KeyChanges, type KeyRow, updateKey } from './store.ts';
import { enforceActiveKeys, readPolicies, type WorkspacePolicies } from './workspace-policies.ts';

/**
 * Applies a merge patch to a locked key, as its workspace's policies allow. `locked` are the policies
 * of the key's workspace, if they have been locked before the key.
 */
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
  if (!rateLimits && !credits) return;
  const isNewBalance = await ensureQuotaRow(write, patched, credits, key);
  if (credits?.remaining === undefined || !isNewBalance) return;
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
  const changes = changedColumns(key, patch, at);
  checkMutability(policies, changedFields(key, patch, changes));
  checkScopes(policies, patch.scopes ?? [], { held: key.scopes, suggest: true });
  if (!differs(key, { expiresAt: changes.expiresAt })) return changes;
  checkLifetime(policies, { ...key, ...changes }, at);
  if (isExpired(key, at)) await enforceActiveKeys(tx, policies, at);
  return changes;
}

/** The columns of fields that are stored under other names. */
const COLUMNS: Readonly<Record<string, readonly (keyof KeyChanges)[]>> = {
  expiresInSeconds: ['expiresAt'],
  rateLimits: ['limitNames', 'limitUnits', 'limitWindows'],
  credits: ['creditsLimited', 'refillInterval', 'refillAmount', 'refillDay'],
};

/** Fields that are as they were may be sent back by a client that read them. */
function changedFields(key: KeyRow, patch: PatchKey, changes: KeyChanges): string[] {
  return Object.keys(patch).filter((field) => {
    if (field === 'credits' && patch.credits?.remaining !== undefined) return true;
    const columns = COLUMNS[field] ?? [field];
    return columns.some((column) => differs(key, { [column]: Reflect.get(changes, column) }));
  });
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
  const changed = { ...key, ...changes };
  checkSize(changed);
  const version = policyVersionOf(changed);
  // Never lower than before: a newer version of Keyward may have set it.
  return { ...changes, minPolicyVersion: Math.max(key.minPolicyVersion, version) };
}

function patchedMetadata(key: KeyRow, patch: JsonObject | null): JsonObject {
  const metadata = mergeMetadata(key.metadata, patch);
  checkMetadata(metadata);
  return metadata;
}
