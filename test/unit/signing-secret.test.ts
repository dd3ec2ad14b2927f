import { expect, it } from 'vitest';
import { Pepper } from '../../src/domain/pepper.ts';
import { newSigningSecret, openSecret, sealSecret } from '../../src/webhooks/signing-secret.ts';

const { webhookKey } = new Pepper('a secret of the operator, long enough');
const { webhookKey: otherKey } = new Pepper('another secret of the operator, long enough');

it('a sealed signing secret opens with the same key and for the same webhook alone', () => {
  const secret = newSigningSecret();
  const sealed = sealSecret(webhookKey, 'wh_1', secret);
  expect(openSecret(webhookKey, 'wh_1', sealed)).toBe(secret);
  expect(openSecret(otherKey, 'wh_1', sealed)).toBeNull();
  expect(openSecret(webhookKey, 'wh_2', sealed)).toBeNull();
});

it('a sealed signing secret that was changed or cut anywhere does not open', () => {
  const sealed = sealSecret(webhookKey, 'wh_1', newSigningSecret());
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(openSecret(webhookKey, 'wh_1', changed)).toBeNull();
    expect(openSecret(webhookKey, 'wh_1', sealed.subarray(0, at))).toBeNull();
  }
});

it('the same signing secret is sealed differently each time, and shows nothing of itself', () => {
  const secret = newSigningSecret();
  const [one, other] = [1, 2].map(() => sealSecret(webhookKey, 'wh_1', secret));
  expect(one?.equals(other ?? Buffer.alloc(0))).toBe(false);
  expect(one?.includes(secret.slice(6, 16))).toBe(false);
});

it('a signing secret is 32 random bytes as Standard Webhooks writes them', () => {
  const secret = newSigningSecret();
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(Buffer.from(secret.slice(6), 'base64')).toHaveLength(32);
  expect(newSigningSecret()).not.toBe(secret);
});
