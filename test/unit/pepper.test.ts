import { createHmac, hkdfSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Pepper } from '../../src/domain/pepper.ts';

const SECRET = 'the secret of these tests, 0123456789';
const OTHER = 'another secret of these tests, 012345';
const TEXT = 'ak_live_what-is-proven';

/** What every version derives: stored proofs and audit logs are of no use with any other key. */
function derived(purpose: string, secret = SECRET): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `keyward ${purpose} v1`, 32));
}

describe('what is derived from KEYWARD_SECRET', () => {
  const pepper = new Pepper(SECRET);

  it('KEYWARD_SECRET proves keys and links audit entries with two different keys, each derived for its purpose', () => {
    const hmac = (purpose: string) =>
      createHmac('sha256', derived(purpose)).update(TEXT).digest('hex');
    expect(pepper.proofOf(TEXT).toString('hex')).toBe(hmac('proof'));
    expect(pepper.auditHash(TEXT)).toBe(hmac('audit'));
    expect(pepper.auditHash(TEXT)).not.toBe(pepper.proofOf(TEXT).toString('hex'));
  });

  it('the public id of a KEYWARD_SECRET reveals nothing of the keys that are derived from it', () => {
    expect(pepper.id).toBe(derived('id').toString('hex').slice(0, 16));
    for (const purpose of ['proof', 'audit']) {
      expect(derived(purpose).toString('hex').startsWith(pepper.id)).toBe(false);
    }
    expect(pepper.id).not.toBe(new Pepper(OTHER).id);
  });

  it('a proof and an audit hash depend on the whole KEYWARD_SECRET and on the whole text', () => {
    const other = new Pepper(SECRET.replace(/.$/, 'x'));
    expect(other.proofOf(TEXT)).not.toEqual(pepper.proofOf(TEXT));
    expect(other.auditHash(TEXT)).not.toBe(pepper.auditHash(TEXT));
    expect(other.id).not.toBe(pepper.id);
    expect(pepper.proofOf(`${TEXT}x`)).not.toEqual(pepper.proofOf(TEXT));
    expect(pepper.proofOf(TEXT)).toHaveLength(32);
  });
});
