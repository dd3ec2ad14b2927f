import { hash, randomBytes } from 'node:crypto';
import { type ChecksumKey, containsKey, type SearchBudget } from '../domain/key-string.ts';

const ROOT_KEY_LIKE = /[A-Za-z0-9_-]{32,256}/g;

/** Finds native keys and the root key in texts that would be stored or logged. */
export class KeyDetector {
  readonly #checksumKey: ChecksumKey;
  /** Differs in each process. Of the root key only a digest is held. */
  readonly #digestKey = randomBytes(32).toString('base64url');
  readonly #rootDigest: string | null;

  constructor(checksumKey: ChecksumKey, rootKey: string | undefined) {
    this.#checksumKey = checksumKey;
    this.#rootDigest = rootKey === undefined ? null : this.#digestOf(rootKey);
  }

  /** Texts of one request share a budget, which bounds the time that they take together. */
  isContainedIn(text: string, budget?: SearchBudget): boolean {
    return this.#containsRootKey(text) || containsKey(text, this.#checksumKey, budget);
  }

  #containsRootKey(text: string): boolean {
    if (this.#rootDigest === null) return false;
    const candidates = text.match(ROOT_KEY_LIKE) ?? [];
    return candidates.some((candidate) => this.#digestOf(candidate) === this.#rootDigest);
  }

  #digestOf(text: string): string {
    return hash('sha256', this.#digestKey + text, 'base64url');
  }
}
