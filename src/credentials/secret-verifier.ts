import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isImportedDigest } from '../domain/imported-key.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import type { Argon2Hasher, VerifyQueue } from './argon2-hasher.ts';
import type { StoredProof } from './issuer.ts';
import type { Pepper } from './pepper.ts';

/** What is stored of a secret. */
export interface StoredSecret {
  ref: string;
  hash: string;
  proof: StoredProof | null;
  /** The digest of the key that was proven to be behind this hash; null until then. */
  matchedDigest: string | null;
}

export interface SecretVerifierOptions {
  hasher: Argon2Hasher;
  pepper: Pepper | null;
  /** Secrets whose proof is remembered. */
  capacity: number;
  /** Keeps the proof of a secret that argon2 has just confirmed. */
  storeProof: (ref: string, proof: StoredProof) => void;
  /** Puts argon2id in the place of an imported digest. Never rejects. */
  rehash: (ref: string, key: string) => Promise<void>;
}

const MAX_WRONG_KEYS = 10_000;

/**
 * Whether a presented key is the one behind a secret: known digest, else stored proof, else
 * argon2. What was learned is a fact about an unchanging secret, so it outlives cache resets.
 */
export class SecretVerifier {
  readonly #options: SecretVerifierOptions;
  /** Of this process alone: a remembered digest is worth nothing anywhere else. */
  readonly #digestKey = randomBytes(32).toString('base64url');
  readonly #cached: LRUCache<string, { digest: string; hash: string }>;
  readonly #wrongKeys = new LRUCache<string, true>({ max: MAX_WRONG_KEYS });
  readonly #inFlight = new Map<string, Promise<boolean>>();
  readonly #rehashing = new Set<string>();

  constructor(options: SecretVerifierOptions) {
    this.#options = options;
    this.#cached = new LRUCache({ max: options.capacity });
  }

  get resourceLimits(): ResourceLimit[] {
    return [
      { name: 'proofs', max: this.#cached.max, used: () => this.#cached.size },
      { name: 'wrong_keys', max: this.#wrongKeys.max, used: () => this.#wrongKeys.size },
    ];
  }

  /** What a key is remembered by: keyed, so that comparing two of them leaks nothing. */
  digestOf(key: string): string {
    return hash('sha256', this.#digestKey + key, 'base64url');
  }

  /** Answers at once for what is remembered; `digest` is the key's own. */
  matches(
    secret: StoredSecret,
    key: string,
    digest: string,
    lane: VerifyQueue = 'verification',
  ): boolean | Promise<boolean> {
    // Looked up in any case: proofs of keys in use are the last to go, and outlive a reset.
    const known = this.#cached.get(secret.ref);
    if (secret.matchedDigest === digest) return true;
    if (known?.digest === digest && known.hash === secret.hash)
      return this.#cacheResult(secret, digest, true);
    if (this.#wrongKeys.has(digest)) return false;
    if (isImportedDigest(secret)) return this.#matchesImportedDigest(secret, key);
    const byProof = this.#checkStoredProof(secret, key);
    return byProof === null
      ? this.#verifyWithArgon2Once(secret, key, digest, lane)
      : this.#cacheResult(secret, digest, byProof);
  }

  /**
   * The key of an imported secret was found by its digest, which is its proof. Each use asks for
   * argon2id until it is there: where there is too much to do, a later use makes it good.
   */
  #matchesImportedDigest({ ref }: StoredSecret, key: string): boolean {
    if (!this.#rehashing.has(ref)) {
      this.#rehashing.add(ref);
      void this.#options.rehash(ref, key).finally(() => this.#rehashing.delete(ref));
    }
    return true;
  }

  /** Null where no proof is stored, or one made under another KEYWARD_SECRET. */
  #checkStoredProof(secret: StoredSecret, key: string): boolean | null {
    const { pepper } = this.#options;
    if (!pepper || secret.proof?.pepperId !== pepper.id) return null;
    return timingSafeEqual(pepper.proofOf(key), secret.proof.proof);
  }

  /** Callers that present the same key at the same time, in one lane, share one computation. */
  #verifyWithArgon2Once(
    secret: StoredSecret,
    key: string,
    digest: string,
    lane: VerifyQueue,
  ): Promise<boolean> {
    const name = `${lane} ${digest}`;
    const underWay = this.#inFlight.get(name);
    if (underWay) return underWay;
    const answer = this.#verifyWithArgon2(secret, key, digest, lane).finally(() =>
      this.#inFlight.delete(name),
    );
    this.#inFlight.set(name, answer);
    return answer;
  }

  async #verifyWithArgon2(
    secret: StoredSecret,
    key: string,
    digest: string,
    lane: VerifyQueue,
  ): Promise<boolean> {
    const { hasher, pepper, storeProof: store } = this.#options;
    const right = await hasher.matches(secret.hash, key, lane);
    if (right && pepper) store(secret.ref, { pepperId: pepper.id, proof: pepper.proofOf(key) });
    return this.#cacheResult(secret, digest, right);
  }

  #cacheResult(secret: StoredSecret, digest: string, right: boolean): boolean {
    if (right) {
      this.#cached.set(secret.ref, { digest, hash: secret.hash });
      secret.matchedDigest = digest;
    } else this.#wrongKeys.set(digest, true);
    return right;
  }
}
