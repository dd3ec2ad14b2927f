import { hash, randomBytes } from 'node:crypto';
import {
  type ChecksumKey,
  containsKey,
  newSearchBudget,
  type SearchBudget,
} from '../domain/key-string.ts';
import { RollingHash } from '../domain/rolling-hash.ts';

/** What is known of the root key, which itself is not held. Differs in each process. */
interface RootKeyMark {
  rolling: RollingHash;
  rollingHash: number;
  digest: string;
}

/** Finds native keys and the root key in texts that would be stored or logged. */
export class KeyDetector {
  readonly #checksumKey: ChecksumKey;
  readonly #digestKey = randomBytes(32).toString('base64url');
  readonly #rootKey: RootKeyMark | null;

  constructor(checksumKey: ChecksumKey, rootKey: string | undefined) {
    this.#checksumKey = checksumKey;
    this.#rootKey = rootKey === undefined ? null : this.#markOf(rootKey);
  }

  /**
   * Whether a text, or any text or name within a value, contains a key, whatever stands before and
   * after it. Values of one request share a budget, which bounds the time that they take together.
   */
  isContainedIn(value: unknown, budget: SearchBudget = newSearchBudget()): boolean {
    const pending = [value];
    while (pending.length > 0) {
      const next = pending.pop();
      if (typeof next === 'string' && this.#isInText(next, budget)) return true;
      if (typeof next !== 'object' || next === null) continue;
      for (const child of Object.values(next)) pending.push(child);
      if (!Array.isArray(next)) pending.push(...Object.keys(next));
    }
    return false;
  }

  #isInText(text: string, budget: SearchBudget): boolean {
    return this.#containsRootKey(text) || containsKey(text, this.#checksumKey, budget);
  }

  /** Its length is known, so every window of it is compared: by a cheap hash, then by the digest. */
  #containsRootKey(text: string): boolean {
    if (this.#rootKey === null) return false;
    const { rolling, rollingHash, digest } = this.#rootKey;
    return rolling
      .matches(text, rollingHash)
      .some((at) => this.#digestOf(text.slice(at, at + rolling.length)) === digest);
  }

  #markOf(rootKey: string): RootKeyMark {
    const rolling = new RollingHash(rootKey.length, randomBytes(4).readUInt32BE());
    return { rolling, rollingHash: rolling.of(rootKey), digest: this.#digestOf(rootKey) };
  }

  #digestOf(text: string): string {
    return hash('sha256', this.#digestKey + text, 'base64url');
  }
}
