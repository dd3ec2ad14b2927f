import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../src/domain/decide.ts';
import { KEY_STATUSES, keyStatus, type StatusFacts } from '../../src/domain/status.ts';

const NOW = Date.UTC(2030, 0, 31, 12);
const when = fc.option(fc.constantFrom(NOW - 1, NOW, NOW + 1).map((ms) => new Date(ms)));
const facts: fc.Arbitrary<StatusFacts> = fc.record({
  revokedAt: when,
  enabled: fc.boolean(),
  notBefore: when,
  expiresAt: when,
});

const VERDICTS: Record<string, string> = {
  revoked: 'REVOKED',
  disabled: 'DISABLED',
  scheduled: 'NOT_YET_VALID',
  expired: 'EXPIRED',
  active: 'VALID',
};

describe('the status of a key', () => {
  it('the status of a key and the verdict on it never disagree', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(facts, (given) => {
        const status = keyStatus(given, NOW);
        seen.add(status);
        const policy = {
          revoked: given.revokedAt !== null,
          workspaceSuspended: false,
          enabled: given.enabled,
          notBefore: given.notBefore?.getTime() ?? null,
          expiresAt: given.expiresAt?.getTime() ?? null,
          allowedIps: null,
          scopes: [],
          availableScopes: null,
          resources: null,
          requireResource: false,
        };
        expect(decide(policy, {}, NOW).code).toBe(VERDICTS[status]);
      }),
      { numRuns: 2000 },
    );
    expect([...seen].sort()).toEqual([...KEY_STATUSES].sort());
  });

  it('a key is revoked whatever else holds, and active only if nothing else applies', () => {
    const past = new Date(NOW - 1);
    const future = new Date(NOW + 1);
    const plain = { revokedAt: null, enabled: true, notBefore: null, expiresAt: null };
    expect(keyStatus({ ...plain, revokedAt: past, enabled: false, expiresAt: past }, NOW)).toBe(
      'revoked',
    );
    expect(keyStatus({ ...plain, enabled: false, expiresAt: past }, NOW)).toBe('disabled');
    expect(keyStatus({ ...plain, notBefore: future }, NOW)).toBe('scheduled');
    expect(keyStatus({ ...plain, notBefore: past, expiresAt: new Date(NOW) }, NOW)).toBe('expired');
    expect(keyStatus({ ...plain, notBefore: new Date(NOW), expiresAt: future }, NOW)).toBe(
      'active',
    );
  });
});
