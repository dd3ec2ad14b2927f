import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/**
 * Keys derived from KEYWARD_SECRET, which is never in the database: proofs made with them are of no
 * use to someone who has the database alone. `id` identifies the secret without revealing it, so
 * that a proof made with another secret is skipped and not taken for a wrong key.
 */
export class Pepper {
  readonly id: string;
  readonly #proofKey: KeyObject;
  readonly #tagKey: KeyObject;
  readonly #auditKey: KeyObject;
  /** Seals the sessions of the console. */
  readonly sessionKey: KeyObject;
  /** Seals the signing secrets of webhooks. */
  readonly webhookKey: KeyObject;

  constructor(secret: string) {
    this.id = derive(secret, 'id').export().toString('hex').slice(0, 16);
    this.#proofKey = derive(secret, 'proof');
    this.#tagKey = derive(secret, 'proof tag');
    this.#auditKey = derive(secret, 'audit');
    this.sessionKey = derive(secret, 'console session');
    this.webhookKey = derive(secret, 'webhook');
  }

  proofOf(key: string): Buffer {
    return createHmac('sha256', this.#proofKey).update(key).digest();
  }

  /** Binds a proof to the secret and the hash that it was made for, so that only we can store one. */
  proofTagOf({ ref, hash }: { ref: string; hash: string }, proof: Buffer): Buffer {
    const owner = JSON.stringify([ref, hash]);
    return createHmac('sha256', this.#tagKey).update(owner).update(proof).digest();
  }

  auditHash(text: string): string {
    return createHmac('sha256', this.#auditKey).update(text).digest('hex');
  }
}

/** Key objects, because Node would prepare raw bytes again for each use. */
function derive(secret: string, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `keyward ${purpose} v1`, 32)));
}

export function pepperFrom(secret: string | undefined): Pepper | null {
  return secret === undefined ? null : new Pepper(secret);
}
