import type { HmacKey } from '../domain/hmac-key.ts';
import { containsKey, newSearchBudget, type SearchBudget } from '../domain/key-string.ts';
import type { RootKey } from '../domain/root-key.ts';

/** Finds native keys and the root key in texts that would be stored or logged. */
export class KeyDetector {
  readonly #checksumKey: HmacKey;
  readonly #rootKey: RootKey | null;

  constructor(checksumKey: HmacKey, rootKey: RootKey | null) {
    this.#checksumKey = checksumKey;
    this.#rootKey = rootKey;
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
    return this.#rootKey?.isContainedIn(text) || containsKey(text, this.#checksumKey, budget);
  }
}
