/**
 * A key's status as shown: derived from its state and the time, stored nowhere. The order is that
 * of the verdicts, so that a list and a verification never disagree.
 */
export const KEY_STATUSES = ['active', 'scheduled', 'disabled', 'expired', 'revoked'] as const;
export type KeyStatus = (typeof KEY_STATUSES)[number];

export interface StatusFacts {
  revokedAt: Date | null;
  enabled: boolean;
  notBefore: Date | null;
  expiresAt: Date | null;
}

export function keyStatus(facts: StatusFacts, now: number): KeyStatus {
  if (facts.revokedAt) return 'revoked';
  if (!facts.enabled) return 'disabled';
  if (facts.notBefore && now < facts.notBefore.getTime()) return 'scheduled';
  if (facts.expiresAt && now >= facts.expiresAt.getTime()) return 'expired';
  return 'active';
}
