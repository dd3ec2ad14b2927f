import type { HmacKey } from '../domain/hmac-key.ts';
import { generateKey } from '../domain/key-string.ts';
import type { Pepper } from '../domain/pepper.ts';
import type { Ticket } from '../lib/fair-queue.ts';
import type { Argon2Hasher, HashQueue } from './argon2-hasher.ts';

export interface StoredProof {
  pepperId: string;
  proof: Buffer;
  /** Null if the service has not stored it, or an older version has. */
  tag: Buffer | null;
}

/** A new secret: the key string, shown once, and what Postgres stores instead of it. */
export interface IssuedSecret {
  key: string;
  ref: string;
  start: string;
  hash: string;
  proof: StoredProof | null;
}

/** Issues key strings, and makes what is stored of them. */
export class SecretIssuer {
  readonly #hasher: Argon2Hasher;
  readonly #pepper: Pepper | null;
  readonly #checksumKey: HmacKey;

  constructor(hasher: Argon2Hasher, pepper: Pepper | null, checksumKey: HmacKey) {
    this.#hasher = hasher;
    this.#pepper = pepper;
    this.#checksumKey = checksumKey;
  }

  /** @param ticket the workspace that it is for; a rotation is urgent */
  async issue(prefix: string, ticket: Ticket): Promise<IssuedSecret> {
    const { key, ref, start } = generateKey(prefix, this.#checksumKey);
    return { key, ref, start, ...(await this.hashForStorage(ref, key, 'issuance', ticket)) };
  }

  /** What Postgres may store of a key. */
  async hashForStorage(
    ref: string,
    key: string,
    queue: HashQueue,
    ticket: Ticket,
  ): Promise<Pick<IssuedSecret, 'hash' | 'proof'>> {
    const hash = await this.#hasher.hash(key, queue, ticket);
    return { hash, proof: this.#pepper && proofOf(this.#pepper, { ref, hash }, key) };
  }
}

/** What is stored so that the string needs no argon2 for this hash. */
export function proofOf(
  pepper: Pepper,
  secret: { ref: string; hash: string },
  key: string,
): StoredProof {
  const proof = pepper.proofOf(key);
  return { pepperId: pepper.id, proof, tag: pepper.proofTagOf(secret, proof) };
}
