import { type ChecksumKey, generateKey } from '../domain/key-string.ts';
import type { Pepper } from '../domain/pepper.ts';
import type { Ticket } from '../lib/fair-queue.ts';
import type { Argon2Hasher, HashQueue } from './argon2-hasher.ts';

export interface StoredProof {
  pepperId: string;
  proof: Buffer;
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
  readonly #checksumKey: ChecksumKey;

  constructor(hasher: Argon2Hasher, pepper: Pepper | null, checksumKey: ChecksumKey) {
    this.#hasher = hasher;
    this.#pepper = pepper;
    this.#checksumKey = checksumKey;
  }

  /** @param ticket the workspace that it is for; a rotation is urgent */
  async issue(prefix: string, ticket: Ticket): Promise<IssuedSecret> {
    const { key, ref, start } = generateKey(prefix, this.#checksumKey);
    return { key, ref, start, ...(await this.hashForStorage(key, 'issuance', ticket)) };
  }

  /** What Postgres may store of a key. */
  async hashForStorage(
    key: string,
    queue: HashQueue,
    ticket: Ticket,
  ): Promise<Pick<IssuedSecret, 'hash' | 'proof'>> {
    return { hash: await this.#hasher.hash(key, queue, ticket), proof: this.#proof(key) };
  }

  #proof(key: string): StoredProof | null {
    return this.#pepper && { pepperId: this.#pepper.id, proof: this.#pepper.proofOf(key) };
  }
}
