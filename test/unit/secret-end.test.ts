import { describe, expect, it } from 'vitest';
import { isInactive, toCredential } from '../../src/credentials/credential.ts';

const ENDS_AT = Date.UTC(2030, 0, 1);

interface End {
  status?: 'current' | 'retiring' | 'retired';
  validUntil?: Date | null;
  /** When its workspace was deleted. */
  deletedAt?: Date | null;
}

/** A secret of a management key, as the database has it. */
function secret({ status = 'current', validUntil = null, deletedAt = null }: End) {
  return toCredential({
    kind: 'management',
    secret: { ref: 'ref', keyId: 'mk_1', hash: 'hash', status, validUntil, createdAt: new Date(0) },
    proof: null,
    key: {
      workspaceId: 'gone',
      name: 'a secret',
      permissions: [],
      expiresAt: null,
      revokedAt: null,
      maxRequestsPerSecond: null,
    },
    workspace: {
      id: 'gone',
      status: 'active',
      requireResource: false,
      deletedAt,
      maxRequestsPerSecond: null,
    },
  });
}

describe('a secret', () => {
  it('a retiring secret is there until just before its grace ends, and gone at that very instant', () => {
    const retiring = secret({ status: 'retiring', validUntil: new Date(ENDS_AT) });
    expect(isInactive(retiring, ENDS_AT - 1)).toBe(false);
    expect(isInactive(retiring, ENDS_AT)).toBe(true);
    expect(isInactive(retiring, ENDS_AT + 1)).toBe(true);
  });

  it('a secret that is retired, or whose key is deleted, is gone whatever the time is', () => {
    for (const ended of [secret({ status: 'retired' }), secret({ deletedAt: new Date(0) })]) {
      for (const now of [0, ENDS_AT, Number.MAX_SAFE_INTEGER])
        expect(isInactive(ended, now)).toBe(true);
    }
    const later = { status: 'retired', validUntil: new Date(ENDS_AT) } as const;
    expect(isInactive(secret(later), ENDS_AT - 1)).toBe(true);
  });

  it('a current secret is not gone, however late it is', () => {
    expect(isInactive(secret({}), Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});
