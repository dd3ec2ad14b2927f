import { type ChecksumKey, generateKey } from '../domain/key-string.ts';
import type { Argon2Hasher, HashQueue } from './argon2-hasher.ts';
import type { Pepper } from './pepper.ts';

export interface StoredProof {
  pepperId: string;
  proof: Buffer;
}

/** A new secret: the key for its holder's eyes, and what Postgres keeps instead of it. */
export interface IssuedSecret {
  key: string;
  ref: string;
  start: string;
  hash: string;
  proof: StoredProof | null;
}

/** Makes the strings that holders present, and what is stored of them. */
export class SecretIssuer {
  readonly #hasher: Argon2Hasher;
  readonly #pepper: Pepper | null;
  readonly #checksumKey: ChecksumKey;

  constructor(hasher: Argon2Hasher, pepper: Pepper | null, checksumKey: ChecksumKey) {
    this.#hasher = hasher;
    this.#pepper = pepper;
    this.#checksumKey = checksumKey;
  }

  async issue(prefix: string): Promise<IssuedSecret> {
    const { key, ref, start } = generateKey(prefix, this.#checksumKey);
    return { key, ref, start, ...(await this.hashForStorage(key, 'issuance')) };
  }

  /** What Postgres may keep of a key. */
  async hashForStorage(
    key: string,
    lane: HashQueue,
  ): Promise<Pick<IssuedSecret, 'hash' | 'proof'>> {
    return { hash: await this.#hasher.hash(key, lane), proof: this.#proof(key) };
  }

  #proof(key: string): StoredProof | null {
    return this.#pepper && { pepperId: this.#pepper.id, proof: this.#pepper.proofOf(key) };
  }
}
