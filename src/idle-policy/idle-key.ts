import { DEFAULT_IDLE_POLICY, type IdleKey, type IdlePolicy } from '../domain/idle-policy.ts';
import type { WorkspaceRow } from '../workspaces/store.ts';
import type { UsedKey } from './store.ts';

/** The policy of a workspace. A suspended one ends no keys, which nobody can use meanwhile. */
export function policyInForce({ idlePolicy, status }: WorkspaceRow): IdlePolicy {
  const policy = idlePolicy ?? DEFAULT_IDLE_POLICY;
  if (status === 'active') return policy;
  return { ...policy, disableAfterDays: null, revokeAfterDays: null };
}

/** What the policy decides by; null: the key has ended, or ends by itself. */
export function toIdleKey(
  { key, use }: UsedKey,
  { warnedAt, workspaceChangedAt }: { warnedAt: Date | null; workspaceChangedAt: Date },
  now: Date,
): IdleKey | null {
  if (key.revokedAt || (key.expiresAt && key.expiresAt <= now)) return null;
  const { lastUsedAt = null, lastDeniedAt = null } = use ?? {};
  return {
    unusedSince: latest(lastUsedAt ?? key.createdAt, key.notBefore),
    warnedAt,
    enabled: key.enabled,
    touchedAt: latest(key.updatedAt, lastDeniedAt, workspaceChangedAt),
  };
}

function latest(first: Date, ...others: (Date | null)[]): Date {
  return others.reduce<Date>((most, time) => (time && time > most ? time : most), first);
}
