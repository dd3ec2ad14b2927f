import { setTimeout as delay } from 'node:timers/promises';
import { KeywardError } from '../errors.ts';
import { WAITING_BYTES } from '../lib/memory-budget.ts';
import { OverloadError } from '../lib/overload-error.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { LOCKED, type QuotaAnswer, type QuotaDecision, type QuotaRequest } from './decision.ts';

const MAX_WAITING = 10_000;
/** Of one key: half of the requests that an instance works on by default. */
const MAX_WAITING_OF_KEY = 1000;
const MAX_BATCH = 500;
const MAX_BATCH_OF_KEY = 100;
const PAUSE_MS = 4;
const PATIENCE_MS = 1000;

interface Waiting {
  request: QuotaRequest;
  lateAt: number;
  resolve: (decision: QuotaDecision | null) => void;
  reject: (error: unknown) => void;
}

/**
 * Requests for keys whose row another transaction holds: they ask again apart from all others, so
 * that no other key waits for them. One key's requests keep their order. The pause between two
 * attempts is random, and leaves the row to other instances that ask for it.
 */
export class LockedRequests {
  readonly #consume: (requests: readonly QuotaRequest[]) => Promise<readonly QuotaAnswer[]>;
  readonly #byKey = new Map<string, Waiting[]>();
  #size = 0;
  #isRunning = false;

  constructor(consume: (requests: readonly QuotaRequest[]) => Promise<readonly QuotaAnswer[]>) {
    this.#consume = consume;
  }

  get resourceLimit(): ResourceLimit {
    const used = () => this.#size;
    return { name: 'quota_requests_locked', max: MAX_WAITING, bytesEach: WAITING_BYTES, used };
  }

  /** Whether requests of this key wait here, so that later ones must not overtake them. */
  has(keyId: string): boolean {
    return this.#byKey.has(keyId);
  }

  /** Rejects with TIMED_OUT if the row stays locked. */
  add(request: QuotaRequest): Promise<QuotaDecision | null> {
    const queue = this.#byKey.get(request.keyId) ?? [];
    if (this.#size >= MAX_WAITING || queue.length >= MAX_WAITING_OF_KEY) {
      return Promise.reject(
        new OverloadError('database', 'too many requests wait for a locked key'),
      );
    }
    const { promise, ...settle } = Promise.withResolvers<QuotaDecision | null>();
    queue.push({ request, lateAt: performance.now() + PATIENCE_MS, ...settle });
    this.#byKey.set(request.keyId, queue);
    this.#size++;
    void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#byKey.size > 0) {
      await delay(PAUSE_MS * (0.5 + Math.random()));
      await this.#askAgain();
    }
    this.#isRunning = false;
  }

  async #askAgain(): Promise<void> {
    const batch = this.#nextBatch();
    const asked = batch.map(({ request }) => request);
    try {
      const answers = await this.#consume(asked);
      for (const [index, waiting] of batch.entries()) this.#settle(waiting, answers[index] ?? null);
    } catch (error) {
      for (const waiting of batch) this.#remove(waiting).reject(error);
    }
    for (const keyId of new Set(asked.map((request) => request.keyId))) this.#putLast(keyId);
  }

  /** Some of each key, in order: one that stays locked does not fill the batch. */
  #nextBatch(): Waiting[] {
    const batch: Waiting[] = [];
    for (const queue of this.#byKey.values()) {
      batch.push(...queue.slice(0, Math.min(MAX_BATCH_OF_KEY, MAX_BATCH - batch.length)));
      if (batch.length === MAX_BATCH) break;
    }
    return batch;
  }

  #settle(waiting: Waiting, answer: QuotaAnswer): void {
    if (answer !== LOCKED) this.#remove(waiting).resolve(answer);
    else if (performance.now() >= waiting.lateAt) {
      this.#remove(waiting).reject(new KeywardError('TIMED_OUT'));
    }
  }

  #remove(waiting: Waiting): Waiting {
    const queue = this.#byKey.get(waiting.request.keyId) ?? [];
    queue.splice(queue.indexOf(waiting), 1);
    this.#size--;
    return waiting;
  }

  /** Behind the other keys, or removed if nothing of it waits. */
  #putLast(keyId: string): void {
    const queue = this.#byKey.get(keyId);
    this.#byKey.delete(keyId);
    if (queue && queue.length > 0) this.#byKey.set(keyId, queue);
  }
}
