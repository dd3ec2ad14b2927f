import { availableParallelism } from 'node:os';
import argon2 from 'argon2';
import { FairQueue, type FairQueueBounds, type Ticket } from '../lib/fair-queue.ts';
import { Histogram } from '../lib/histogram.ts';
import { counter, gaugesBy, histogramsBy, type Metric } from '../lib/metric.ts';
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

const QUEUES = ['verification', 'management', 'low', 'issuance', 'rehashing'] as const;
type Queue = (typeof QUEUES)[number];

const MAX_WAITING = 512;
const WAIT_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const newQueue = (bounds: Omit<FairQueueBounds, 'reason'>) =>
  new FairQueue({ ...bounds, reason: 'argon2' });

/** Argon2id behind bounded queues, so that neither verifying nor issuing can starve the other. */
export class Argon2Hasher {
  readonly #cost: Argon2Cost;
  readonly #queues: Record<Queue, FairQueue> = {
    verification: newQueue({
      places: Math.max(1, availableParallelism() - 1),
      maxWaitingEach: 64,
      maxWaiting: MAX_WAITING,
    }),
    management: newQueue({ places: 1, maxWaitingEach: 64, maxWaiting: MAX_WAITING }),
    low: newQueue({ places: 1, maxWaitingEach: 4, maxWaiting: 32 }),
    issuance: newQueue({ places: 1, maxWaitingEach: 64, maxWaiting: MAX_WAITING }),
    rehashing: newQueue({ places: 1, maxWaitingEach: 16, maxWaiting: 16 }),
  };
  readonly #waits = new Map<string, Histogram>(
    QUEUES.map((name) => [name, new Histogram(WAIT_SECONDS)]),
  );
  #runs = 0;

  constructor(cost: Argon2Cost) {
    this.#cost = cost;
  }

  get resourceLimits(): ResourceLimit[] {
    return Object.entries(this.#queues).map(([name, queue]) =>
      queue.resourceLimit(`argon2_${name}_waiting`),
    );
  }

  get metrics(): Metric[] {
    const ofQueues = (value: (queue: FairQueue) => number) => () =>
      QUEUES.map((name) => [name, value(this.#queues[name])] as const);
    return [
      counter('keyward_argon2_runs_total', 'Argon2 hashes computed.', () => this.#runs),
      histogramsBy(
        'lane',
        'keyward_argon2_wait_seconds',
        'How long argon2 hashes waited for their turn.',
        this.#waits,
      ),
      gaugesBy(
        'lane',
        'keyward_argon2_running',
        'Argon2 hashes that are computed now.',
        ofQueues(({ used }) => used),
      ),
      gaugesBy(
        'lane',
        'keyward_argon2_waiting',
        'Argon2 hashes that wait for their turn.',
        ofQueues(({ waiting }) => waiting),
      ),
    ];
  }

  hash(key: string, queue: HashQueue, ticket: Ticket): Promise<string> {
    return this.#inTurn(queue, ticket, () =>
      argon2.hash(key, { ...this.#cost, type: argon2.argon2id }),
    );
  }

  matches(hash: string, key: string, queue: VerifyQueue, group: string): Promise<boolean> {
    return this.#inTurn(queue, { group }, () => argon2.verify(hash, key));
  }

  #inTurn<T>(queue: Queue, ticket: Ticket, compute: () => Promise<T>): Promise<T> {
    const asked = performance.now();
    return this.#queues[queue].run(ticket, () => {
      this.#runs++;
      this.#waits.get(queue)?.observe((performance.now() - asked) / 1000);
      return compute();
    });
  }
}
