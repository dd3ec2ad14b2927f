import { type ChecksumKey, containsKey, type SearchBudget } from '../domain/key-string.ts';
import type { RootKey } from '../domain/root-key.ts';

/** Finds native keys and the root key in texts that would be stored or logged. */
export class KeyDetector {
  readonly #checksumKey: ChecksumKey;
  readonly #rootKey: RootKey | null;

  constructor(checksumKey: ChecksumKey, rootKey: RootKey | null) {
    this.#checksumKey = checksumKey;
    this.#rootKey = rootKey;
  }

  /** Texts of one request share a budget, which bounds the time that they take together. */
  isContainedIn(text: string, budget?: SearchBudget): boolean {
    return this.#containsRootKey(text) || containsKey(text, this.#checksumKey, budget);
  }

  #containsRootKey(text: string): boolean {
    return this.#rootKey?.isContainedIn(text) ?? false;
  }
}
