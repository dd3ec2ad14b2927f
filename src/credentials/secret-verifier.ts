import { timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { importedDigests, isImportedDigest } from '../domain/imported-key.ts';
import type { Pepper } from '../domain/pepper.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import type { Argon2Hasher, VerifyQueue } from './argon2-hasher.ts';
import { proofOf, type StoredProof } from './issuer.ts';
import { SuspectRefs } from './suspect-refs.ts';

/** What is stored of a secret. */
export interface StoredSecret {
  ref: string;
  /** Whose other secrets wait in its turn; null: the operator's. */
  workspaceId: string | null;
  hash: string;
  proof: StoredProof | null;
  /** The digest of the string that has been verified against this hash; null before that. */
  matchedDigest: string | null;
}

export interface SecretVerifierDependencies {
  hasher: Argon2Hasher;
  pepper: Pepper | null;
  /** What the cached digests may take, each counted by its size. */
  digestBytes: number;
  /** Stores the proof of a secret that argon2 has just confirmed. */
  storeProof: (secret: StoredSecret, proof: StoredProof) => void;
  /** Replaces an imported digest with argon2id. Never rejects. */
  rehash: (secret: StoredSecret, presented: string) => Promise<void>;
}

const MAX_WRONG_KEYS = 10_000;
/** What the hash of every secret begins with, but for the digest of an imported one. */
const ARGON2ID = '$argon2id$';
const WRONG_KEY_BYTES = 512;
/** A digest, beside the hash that it matches. */
const DIGEST_BYTES = 320;

/**
 * Verifies a presented string against a stored secret: by cached digest, else by stored proof, else
 * by argon2. The result is a fact about an immutable secret, so it outlives resets of other caches.
 */
export class SecretVerifier {
  readonly #deps: SecretVerifierDependencies;
  readonly #cached: LRUCache<string, { digest: string; hash: string }>;
  /** The hash that a digest does not match. */
  readonly #wrongKeys = new LRUCache<string, string>({ max: MAX_WRONG_KEYS });
  readonly #suspects = new SuspectRefs();
  readonly #inFlight = new Map<string, Promise<boolean>>();
  readonly #rehashing = new Set<string>();

  constructor(deps: SecretVerifierDependencies) {
    this.#deps = deps;
    this.#cached = new LRUCache({
      maxSize: deps.digestBytes,
      sizeCalculation: ({ hash }, ref) => DIGEST_BYTES + ref.length + hash.length,
    });
  }

  get resourceLimits(): ResourceLimit[] {
    return [
      {
        name: 'proofs',
        max: this.#cached.maxSize,
        bytesEach: 1,
        used: () => this.#cached.calculatedSize,
      },
      {
        name: 'wrong_keys',
        max: this.#wrongKeys.max,
        bytesEach: WRONG_KEY_BYTES,
        used: () => this.#wrongKeys.size,
      },
      this.#suspects.resourceLimit,
    ];
  }

  /** The cached result; `digest` is that of the presented string. Null: none. */
  recall(secret: StoredSecret, digest: string): boolean | null {
    // Read on every call, so that the secrets in use are the last to be evicted.
    const cached = this.#cached.get(secret.ref);
    if (secret.matchedDigest === digest) return true;
    if (cached?.digest === digest && cached.hash === secret.hash)
      return this.#cacheResult(secret, digest, true);
    return this.#wrongKeys.get(digest) === secret.hash ? false : null;
  }

  /** Answers synchronously if the result is cached, or a stored proof tells. */
  matches(
    secret: StoredSecret,
    presented: string,
    digest: string,
    queue: VerifyQueue = 'verification',
  ): boolean | Promise<boolean> {
    const known = this.recall(secret, digest);
    if (known !== null) return known;
    if (isImportedDigest(secret)) return this.#matchesImportedDigest(secret, presented);
    if (!secret.hash.startsWith(ARGON2ID)) return false;
    const { pepper } = this.#deps;
    if (!pepper || secret.proof?.pepperId !== pepper.id)
      return this.#verifyWithArgon2Once(secret, presented, digest, queue);
    if (equal(pepper.proofOf(presented), secret.proof.proof))
      return this.#cacheResult(secret, digest, true);
    // Anyone who can write the row may have put it there, which must not end a key.
    return this.#isGenuine(secret, pepper)
      ? this.#cacheResult(secret, digest, false)
      : this.#verifyWithArgon2Once(secret, presented, digest, 'low');
  }

  /**
   * An imported secret is found by its digest, which proves the string. Each use asks for argon2id
   * until it is stored: if there is too much to do now, a later use succeeds.
   */
  #matchesImportedDigest(secret: StoredSecret, presented: string): boolean {
    const { ref, hash: digest } = secret;
    if (!importedDigests(presented).includes(digest)) return false;
    if (!this.#rehashing.has(ref)) {
      this.#rehashing.add(ref);
      void this.#deps.rehash(secret, presented).finally(() => this.#rehashing.delete(ref));
    }
    return true;
  }

  /** Whether the service itself stored the proof, for this hash of this ref. */
  #isGenuine(secret: StoredSecret, pepper: Pepper): boolean {
    const { proof } = secret;
    if (!proof?.tag) return false;
    return equal(pepper.proofTagOf(secret, proof.proof), proof.tag);
  }

  /** Callers that present the same string for the same secret, in one queue, share one computation. */
  #verifyWithArgon2Once(
    secret: StoredSecret,
    presented: string,
    digest: string,
    queue: VerifyQueue,
  ): Promise<boolean> {
    const name = `${queue} ${secret.ref} ${digest} ${secret.hash}`;
    const inFlight = this.#inFlight.get(name);
    if (inFlight) return inFlight;
    const answer = this.#verifyWithArgon2(secret, presented, digest, queue).finally(() =>
      this.#inFlight.delete(name),
    );
    this.#inFlight.set(name, answer);
    return answer;
  }

  async #verifyWithArgon2(
    secret: StoredSecret,
    presented: string,
    digest: string,
    queue: VerifyQueue,
  ): Promise<boolean> {
    const { pepper, storeProof } = this.#deps;
    const matches = await this.#runArgon2(secret, presented, queue);
    if (matches && pepper) storeProof(secret, proofOf(pepper, secret, presented));
    return this.#cacheResult(secret, digest, matches);
  }

  /** In the low lane each ref has turns of its own, so that the holders of others get theirs. */
  async #runArgon2(
    { ref, hash, workspaceId }: StoredSecret,
    presented: string,
    queue: VerifyQueue,
  ): Promise<boolean> {
    const { hasher } = this.#deps;
    if (queue === 'low' || this.#suspects.attempt(ref)) {
      return hasher.matches(hash, presented, 'low', ref);
    }
    let isWrong = false;
    try {
      isWrong = !(await hasher.matches(hash, presented, queue, workspaceId ?? ''));
      return !isWrong;
    } finally {
      if (!isWrong) this.#suspects.withdraw(ref);
    }
  }

  #cacheResult(secret: StoredSecret, digest: string, matches: boolean): boolean {
    if (matches) {
      this.#cached.set(secret.ref, { digest, hash: secret.hash });
      secret.matchedDigest = digest;
    } else this.#wrongKeys.set(digest, secret.hash);
    return matches;
  }
}

/** What is stored may have any length. */
function equal(computed: Buffer, stored: Buffer): boolean {
  return computed.length === stored.length && timingSafeEqual(computed, stored);
}
