import { availableParallelism } from 'node:os';
import argon2 from 'argon2';
import { FairQueue, type Ticket } from '../lib/fair-queue.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';

export interface Argon2Cost {
  memoryCost: number;
  timeCost: number;
  parallelism: number;
}

/**
 * Customers' keys and those of callers wait apart. `low` serves what anyone may ask, and refs for
 * which wrong strings were presented, so that neither ever delays a verification.
 */
export type VerifyQueue = 'verification' | 'management' | 'low';

/** Imported keys are rehashed in the background, so that new keys never wait for that. */
export type HashQueue = 'issuance' | 'rehashing';

const MAX_WAITING = 512;

/** Argon2id behind bounded queues, so that neither verifying nor issuing can starve the other. */
export class Argon2Hasher {
  readonly #cost: Argon2Cost;
  readonly #queues: Record<VerifyQueue | HashQueue, FairQueue> = {
    verification: new FairQueue({
      places: Math.max(1, availableParallelism() - 1),
      maxWaitingEach: 64,
      maxWaiting: MAX_WAITING,
    }),
    management: new FairQueue({ places: 1, maxWaitingEach: 64, maxWaiting: MAX_WAITING }),
    low: new FairQueue({ places: 1, maxWaitingEach: 4, maxWaiting: 32 }),
    issuance: new FairQueue({ places: 1, maxWaitingEach: 64, maxWaiting: MAX_WAITING }),
    rehashing: new FairQueue({ places: 1, maxWaitingEach: 16, maxWaiting: 16 }),
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

  hash(key: string, queue: HashQueue, ticket: Ticket): Promise<string> {
    return this.#queues[queue].run(ticket, () => {
      this.#runs++;
      return argon2.hash(key, { ...this.#cost, type: argon2.argon2id });
    });
  }

  matches(hash: string, key: string, queue: VerifyQueue, group: string): Promise<boolean> {
    return this.#queues[queue].run({ group }, () => {
      this.#runs++;
      return argon2.verify(hash, key);
    });
  }
}
