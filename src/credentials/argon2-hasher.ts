import { availableParallelism } from 'node:os';
import argon2 from 'argon2';
import { ConcurrencyLimiter } from '../lib/concurrency-limiter.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';

export interface Argon2Cost {
  memoryCost: number;
  timeCost: number;
  parallelism: number;
}

/** `low` serves what anyone may ask, so that it never delays a verification. */
export type VerifyQueue = 'verification' | 'low';

/** Imported keys are rehashed in the background, so that new keys never wait for that. */
export type HashQueue = 'issuance' | 'rehashing';

/** Argon2id behind bounded queues, so that neither verifying nor issuing can starve the other. */
export class Argon2Hasher {
  readonly #cost: Argon2Cost;
  readonly #queues: Record<VerifyQueue | HashQueue, ConcurrencyLimiter> = {
    verification: new ConcurrencyLimiter(Math.max(1, availableParallelism() - 1), 64),
    low: new ConcurrencyLimiter(1, 16),
    issuance: new ConcurrencyLimiter(1, 64),
    rehashing: new ConcurrencyLimiter(1, 16),
  };
  #runs = 0;

  constructor(cost: Argon2Cost) {
    this.#cost = cost;
  }

  /** Hashes computed since the start. */
  get runs(): number {
    return this.#runs;
  }

  get resourceLimits(): ResourceLimit[] {
    return Object.entries(this.#queues).map(([name, queue]) =>
      queue.resourceLimit(`argon2_${name}_waiting`),
    );
  }

  hash(key: string, queue: HashQueue): Promise<string> {
    return this.#queues[queue].run(() => {
      this.#runs++;
      return argon2.hash(key, { ...this.#cost, type: argon2.argon2id });
    });
  }

  matches(hash: string, key: string, queue: VerifyQueue): Promise<boolean> {
    return this.#queues[queue].run(() => {
      this.#runs++;
      return argon2.verify(hash, key);
    });
  }
}
