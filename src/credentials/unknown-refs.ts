import { LRUCache } from 'lru-cache';
import type { ResourceLimit } from '../lib/resource-limit.ts';

const MAX_ONCE = 5000;
const MAX_REPEATED = 5000;
const REF_BYTES = 320;

/**
 * Refs that no secret has. Those that were asked for again are kept apart, so that new strings,
 * however many, do not evict them; so is what is absent beside a cached credential.
 */
export class UnknownRefs {
  readonly #once = new LRUCache<string, true>({ max: MAX_ONCE });
  readonly #repeated = new LRUCache<string, true>({ max: MAX_REPEATED });
  readonly #beside = new Set<string>();

  get resourceLimit(): ResourceLimit {
    const used = () => this.#once.size + this.#repeated.size;
    return { name: 'unknown_refs', max: MAX_ONCE + MAX_REPEATED, bytesEach: REF_BYTES, used };
  }

  has(ref: string): boolean {
    return this.#once.has(ref) || this.#repeated.has(ref) || this.#beside.has(ref);
  }

  /** The same, for one who asks for it again. */
  recall(ref: string): boolean {
    if (this.#once.delete(ref)) this.#repeated.set(ref, true);
    return this.#repeated.get(ref) === true || this.#beside.has(ref);
  }

  add(ref: string): void {
    if (!this.has(ref)) this.#once.set(ref, true);
  }

  delete(ref: string): void {
    this.#once.delete(ref);
    this.#repeated.delete(ref);
    this.#beside.delete(ref);
  }

  /** Keeps a ref that is still known to be absent until it is deleted. True where that is new. */
  keep(ref: string): boolean {
    if (!this.#once.delete(ref) && !this.#repeated.delete(ref)) return false;
    this.#beside.add(ref);
    return true;
  }

  clear(): void {
    this.#once.clear();
    this.#repeated.clear();
    this.#beside.clear();
  }
}
