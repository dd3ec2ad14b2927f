import { LRUCache } from 'lru-cache';
import type { ResourceLimit } from './resource-limit.ts';

/** Those used last are kept; one that is forgotten begins full. */
const MAX_BUCKETS = 4096;
const BUCKET_BYTES = 256;

interface Bucket {
  tokens: number;
  /** When they were counted, in milliseconds. */
  at: number;
}

/** How much of something may be used in a second: each bucket holds that of one second. */
export interface Rate {
  id: string;
  perSecond: number;
}

/** Buckets of tokens by id, which refill with time. */
export class TokenBuckets {
  readonly #buckets = new LRUCache<string, Bucket>({ max: MAX_BUCKETS });
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  resourceLimit(name: string): ResourceLimit {
    const used = () => this.#buckets.size;
    return { name, max: MAX_BUCKETS, bytesEach: BUCKET_BYTES, used };
  }

  /** Takes from all of these buckets, or from none if one of them has too few. */
  take(rates: readonly Rate[], amount: number): boolean {
    const now = this.#now();
    const buckets = rates.map((rate) => this.#refilled(rate, now));
    if (buckets.some(({ tokens }) => tokens < amount)) return false;
    for (const bucket of buckets) bucket.tokens -= amount;
    return true;
  }

  /** What was taken and not used. */
  giveBack(rates: readonly Rate[], amount: number): void {
    const now = this.#now();
    for (const rate of rates) {
      const bucket = this.#refilled(rate, now);
      bucket.tokens = Math.min(rate.perSecond, bucket.tokens + amount);
    }
  }

  #refilled({ id, perSecond }: Rate, now: number): Bucket {
    const bucket = this.#buckets.get(id) ?? { tokens: perSecond, at: now };
    const elapsed = Math.max(0, now - bucket.at);
    bucket.tokens = Math.min(perSecond, bucket.tokens + (elapsed * perSecond) / 1000);
    bucket.at = now;
    this.#buckets.set(id, bucket);
    return bucket;
  }
}
