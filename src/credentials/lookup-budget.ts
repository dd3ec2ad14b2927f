import { OverloadError } from '../lib/overload-error.ts';

const LOOKUPS_PER_SECOND = 5000;

/**
 * Bounds how many strings that are neither native keys nor known are looked up in a second. A caller that
 * has asked in this second or the last has an equal share: strangers of one take nothing from others.
 */
export class LookupBudget {
  readonly #now: () => number;
  #second = 0;
  #taken = new Map<string, number>();
  #sharesBefore = 0;

  /** @param now epoch milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes one lookup from a share. */
  take(share: string): void {
    this.#turn();
    const taken = this.#taken.get(share) ?? 0;
    this.#taken.set(share, taken + 1);
    const shares = Math.max(this.#taken.size, this.#sharesBefore);
    if (taken < LOOKUPS_PER_SECOND / shares) return;
    throw new OverloadError('too many unknown strings are looked up');
  }

  #turn(): void {
    const second = Math.floor(this.#now() / 1000);
    if (second === this.#second) return;
    this.#sharesBefore = second === this.#second + 1 ? this.#taken.size : 0;
    this.#second = second;
    this.#taken = new Map();
  }
}
