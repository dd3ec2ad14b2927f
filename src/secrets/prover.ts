import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isUnhardened } from '../domain/imported-key.ts';
import type { Bound } from '../lib/bound.ts';
import type { Hasher, ProofLane } from './hasher.ts';
import type { StoredProof } from './issuer.ts';
import type { Pepper } from './pepper.ts';

/** What is stored of a secret. */
export interface SecretEvidence {
  ref: string;
  hash: string;
  proof: StoredProof | null;
  /** The digest of the key that was proven to be behind this hash; null until then. */
  provenBy: string | null;
}

export interface ProverOptions {
  hasher: Hasher;
  pepper: Pepper | null;
  /** Secrets whose proof is remembered. */
  capacity: number;
  /** Keeps the proof of a secret that argon2 has just confirmed. */
  store: (ref: string, proof: StoredProof) => void;
  /** Puts argon2id in the place of an imported digest. Never rejects. */
  harden: (ref: string, key: string) => Promise<void>;
}

const WRONG_KEYS_REMEMBERED = 10_000;

/**
 * Whether a presented key is the one behind a secret: known digest, else stored proof, else
 * argon2. What was learned is a fact about an unchanging secret, so it outlives cache resets.
 */
export class Prover {
  readonly #options: ProverOptions;
  /** Of this process alone: a remembered digest is worth nothing anywhere else. */
  readonly #digestKey = randomBytes(32).toString('base64url');
  readonly #known: LRUCache<string, { digest: string; hash: string }>;
  readonly #wrong = new LRUCache<string, true>({ max: WRONG_KEYS_REMEMBERED });
  readonly #underWay = new Map<string, Promise<boolean>>();
  readonly #hardening = new Set<string>();

  constructor(options: ProverOptions) {
    this.#options = options;
    this.#known = new LRUCache({ max: options.capacity });
  }

  get bounds(): Bound[] {
    return [
      { name: 'proofs', max: this.#known.max, used: () => this.#known.size },
      { name: 'wrong_keys', max: this.#wrong.max, used: () => this.#wrong.size },
    ];
  }

  /** What a key is remembered by: keyed, so that comparing two of them leaks nothing. */
  digestOf(key: string): string {
    return hash('sha256', this.#digestKey + key, 'base64url');
  }

  /** Answers at once for what is remembered; `digest` is the key's own. */
  proves(
    secret: SecretEvidence,
    key: string,
    digest: string,
    lane: ProofLane = 'verification',
  ): boolean | Promise<boolean> {
    // Looked up in any case: proofs of keys in use are the last to go, and outlive a reset.
    const known = this.#known.get(secret.ref);
    if (secret.provenBy === digest) return true;
    if (known?.digest === digest && known.hash === secret.hash)
      return this.#learn(secret, digest, true);
    if (this.#wrong.has(digest)) return false;
    if (isUnhardened(secret)) return this.#trustDigest(secret, key);
    const byProof = this.#checkStoredProof(secret, key);
    return byProof === null
      ? this.#slowly(secret, key, digest, lane)
      : this.#learn(secret, digest, byProof);
  }

  /**
   * The key of an imported secret was found by its digest, which is its proof. Each use asks for
   * argon2id until it is there: where there is too much to do, a later use makes it good.
   */
  #trustDigest({ ref }: SecretEvidence, key: string): boolean {
    if (!this.#hardening.has(ref)) {
      this.#hardening.add(ref);
      void this.#options.harden(ref, key).finally(() => this.#hardening.delete(ref));
    }
    return true;
  }

  /** Null where no proof is stored, or one made under another KEYWARD_SECRET. */
  #checkStoredProof(secret: SecretEvidence, key: string): boolean | null {
    const { pepper } = this.#options;
    if (!pepper || secret.proof?.pepperId !== pepper.id) return null;
    return timingSafeEqual(pepper.proofOf(key), secret.proof.proof);
  }

  /** Callers that present the same key at the same time, in one lane, share one computation. */
  #slowly(secret: SecretEvidence, key: string, digest: string, lane: ProofLane): Promise<boolean> {
    const name = `${lane} ${digest}`;
    const underWay = this.#underWay.get(name);
    if (underWay) return underWay;
    const answer = this.#argon2(secret, key, digest, lane).finally(() =>
      this.#underWay.delete(name),
    );
    this.#underWay.set(name, answer);
    return answer;
  }

  async #argon2(
    secret: SecretEvidence,
    key: string,
    digest: string,
    lane: ProofLane,
  ): Promise<boolean> {
    const { hasher, pepper, store } = this.#options;
    const right = await hasher.matches(secret.hash, key, lane);
    if (right && pepper) store(secret.ref, { pepperId: pepper.id, proof: pepper.proofOf(key) });
    return this.#learn(secret, digest, right);
  }

  #learn(secret: SecretEvidence, digest: string, right: boolean): boolean {
    if (right) {
      this.#known.set(secret.ref, { digest, hash: secret.hash });
      secret.provenBy = digest;
    } else this.#wrong.set(digest, true);
    return right;
  }
}
