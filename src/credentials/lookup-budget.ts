import { OverloadError } from '../lib/overload-error.ts';

const LOOKUPS_PER_SECOND = 5000;

/**
 * Bounds how many strings that are neither native keys nor known are looked up in a second. Each group of
 * callers that has asked in this second or the last has an equal share, and takes nothing from others.
 */
export class LookupBudget {
  readonly #now: () => number;
  #second = 0;
  #taken = new Map<string, number>();
  #groupsBefore = 0;

  /** @param now epoch milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes one lookup from the share of a group. */
  take(group: string): void {
    this.#startSecond();
    const taken = this.#taken.get(group) ?? 0;
    this.#taken.set(group, taken + 1);
    const groups = Math.max(this.#taken.size, this.#groupsBefore);
    if (taken < LOOKUPS_PER_SECOND / groups) return;
    throw new OverloadError('lookups', 'too many unknown strings are looked up');
  }

  #startSecond(): void {
    const second = Math.floor(this.#now() / 1000);
    if (second === this.#second) return;
    this.#groupsBefore = second === this.#second + 1 ? this.#taken.size : 0;
    this.#second = second;
    this.#taken = new Map();
  }
}
