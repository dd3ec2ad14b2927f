import { describe, expect, it } from 'vitest';
import { isInactive, toCredential } from '../../src/credentials/credential.ts';

const ENDS_AT = Date.UTC(2030, 0, 1);

interface End {
  secret_status?: 'current' | 'retiring' | 'retired';
  valid_until?: Date;
  deleted?: boolean;
}

/** A secret as the database has it. */
function secret(end: End) {
  const state = toCredential({
    kind: 'management',
    ref: 'ref',
    incarnation: null,
    has_secret: true,
    key_id: 'mk_1',
    hash: 'hash',
    secret_status: 'current',
    valid_until: null,
    pepper_id: null,
    proof: null,
    name: 'a secret',
    revoked: false,
    deleted: false,
    expires_at: null,
    workspace_id: null,
    permissions: [],
    ...end,
  });
  if (!state) throw new Error('there is such a secret');
  return state;
}

describe('a secret', () => {
  it('a retiring secret is there until just before its grace ends, and gone at that very instant', () => {
    const retiring = secret({ secret_status: 'retiring', valid_until: new Date(ENDS_AT) });
    expect(isInactive(retiring, ENDS_AT - 1)).toBe(false);
    expect(isInactive(retiring, ENDS_AT)).toBe(true);
    expect(isInactive(retiring, ENDS_AT + 1)).toBe(true);
  });

  it('a secret that is retired, or whose key is deleted, is gone whatever the time is', () => {
    for (const ended of [secret({ secret_status: 'retired' }), secret({ deleted: true })]) {
      for (const now of [0, ENDS_AT, Number.MAX_SAFE_INTEGER])
        expect(isInactive(ended, now)).toBe(true);
    }
    const later = { secret_status: 'retired', valid_until: new Date(ENDS_AT) } as const;
    expect(isInactive(secret(later), ENDS_AT - 1)).toBe(true);
  });

  it('a current secret is not gone, however late it is', () => {
    expect(isInactive(secret({}), Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});
