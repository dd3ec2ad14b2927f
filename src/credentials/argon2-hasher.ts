import { availableParallelism } from 'node:os';
import argon2 from 'argon2';
import { ConcurrencyLimiter } from '../lib/concurrency-limiter.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';

export interface Argon2Cost {
  memoryCost: number;
  timeCost: number;
  parallelism: number;
}

/** Who waits for whom: `low` is for what anyone may ask. */
export type VerifyQueue = 'verification' | 'low';

/** Keys of other systems are hashed again in the background: new keys never wait for that. */
export type HashQueue = 'issuance' | 'hardening';

/** Argon2id in bounded lanes, so that neither verifying nor issuing can starve the other. */
export class Argon2Hasher {
  readonly #cost: Argon2Cost;
  readonly #verifyQueues: Record<VerifyQueue, ConcurrencyLimiter> = {
    verification: new ConcurrencyLimiter(Math.max(1, availableParallelism() - 1), 64),
    low: new ConcurrencyLimiter(1, 16),
  };
  readonly #hashQueues: Record<HashQueue, ConcurrencyLimiter> = {
    issuance: new ConcurrencyLimiter(1, 64),
    hardening: new ConcurrencyLimiter(1, 16),
  };
  #runs = 0;

  constructor(cost: Argon2Cost) {
    this.#cost = cost;
  }

  /** How many hashes were computed since the start. */
  get runs(): number {
    return this.#runs;
  }

  get resourceLimits(): ResourceLimit[] {
    const lanes = { ...this.#verifyQueues, ...this.#hashQueues };
    return Object.entries(lanes).map(([name, lane]) =>
      lane.resourceLimit(`argon2_${name}_waiting`),
    );
  }

  hash(key: string, lane: HashQueue): Promise<string> {
    return this.#hashQueues[lane].run(() => {
      this.#runs++;
      return argon2.hash(key, { ...this.#cost, type: argon2.argon2id });
    });
  }

  matches(hash: string, key: string, lane: VerifyQueue): Promise<boolean> {
    return this.#verifyQueues[lane].run(() => {
      this.#runs++;
      return argon2.verify(hash, key);
    });
  }
}
