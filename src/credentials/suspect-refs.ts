import { LRUCache } from 'lru-cache';
import type { ResourceLimit } from '../lib/resource-limit.ts';

const MAX_REFS = 10_000;
const REF_BYTES = 320;
const MAX_ATTEMPTS = 3;
const WINDOW_MS = 60_000;

interface Attempts {
  count: number;
  since: number;
}

/**
 * Refs for which several strings were presented that are not known to be right. Only someone who
 * forges checksums presents them; verifying them costs argon2, which must not delay others.
 */
export class SuspectRefs {
  readonly #refs = new LRUCache<string, Attempts>({ max: MAX_REFS });

  get resourceLimit(): ResourceLimit {
    const { max } = this.#refs;
    return { name: 'suspect_refs', max, bytesEach: REF_BYTES, used: () => this.#refs.size };
  }

  /** Whether a string of this ref is one too many. Remembers it: those that wait count as well. */
  attempt(ref: string): boolean {
    const now = performance.now();
    const known = this.#refs.get(ref);
    if (known && known.count >= MAX_ATTEMPTS) return true;
    if (known && now - known.since < WINDOW_MS) known.count++;
    else this.#refs.set(ref, { count: 1, since: now });
    return false;
  }

  /** The string was right, or nobody could tell. */
  withdraw(ref: string): void {
    const known = this.#refs.get(ref);
    if (!known || known.count >= MAX_ATTEMPTS) return;
    if (known.count > 1) known.count--;
    else this.#refs.delete(ref);
  }
}
