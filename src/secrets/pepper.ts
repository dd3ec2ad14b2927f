import { createHmac, hkdfSync } from 'node:crypto';

/**
 * Keys derived from KEYWARD_SECRET, which is never in the database: what they prove there is of no
 * use to whoever has the database alone. `id` names the secret without revealing it, so that a
 * proof made under another one is passed over and not mistaken for a wrong key.
 */
export class Pepper {
  readonly id: string;
  readonly #proofKey: Uint8Array;
  readonly #auditKey: Uint8Array;

  constructor(secret: string) {
    this.id = Buffer.from(derive(secret, 'id')).toString('hex').slice(0, 16);
    this.#proofKey = derive(secret, 'proof');
    this.#auditKey = derive(secret, 'audit');
  }

  proofOf(key: string): Buffer {
    return createHmac('sha256', this.#proofKey).update(key).digest();
  }

  auditHash(text: string): string {
    return createHmac('sha256', this.#auditKey).update(text).digest('hex');
  }
}

function derive(secret: string, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `keyward ${purpose} v1`, 32));
}
