import { WAITING_BYTES } from './memory-budget.ts';
import { OverloadError } from './overload-error.ts';
import type { ResourceLimit } from './resource-limit.ts';

type Ready<Result> = (index: number, result: Result) => void;

export interface RequestBatcherOptions<Item, Result> {
  /**
   * Handles one batch; returns the results in the order of the items. A result that is `ready` before
   * the others is answered at once: what follows from all of them together may be too long a turn.
   */
  run: (items: readonly Item[], ready: Ready<Result>) => Promise<readonly Result[]>;
  maxInFlight: number;
  maxBatch: number;
  /** One more waiting item is refused. */
  maxWaiting: number;
  /** What is sent before all else that waits, which has a part of each batch. Default: nothing. */
  isFirst?: (item: Item) => boolean;
}

/** Of a batch, for what is not sent first. */
const OTHERS_SHARE = 0.2;

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Natural batching: what arrives while a call is in flight goes into the next one. It adds no delay
 * when idle, and one call serves many under load. A batch always begins after its items arrived.
 */
export class RequestBatcher<Item, Result> {
  readonly #options: RequestBatcherOptions<Item, Result>;
  readonly #first: Waiting<Item, Result>[] = [];
  readonly #others: Waiting<Item, Result>[] = [];
  #inFlight = 0;
  #scheduled = false;

  constructor(options: RequestBatcherOptions<Item, Result>) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#first.length + this.#others.length;
  }

  resourceLimit(name: string): ResourceLimit {
    const { maxWaiting: max } = this.#options;
    return { name, max, bytesEach: WAITING_BYTES, used: () => this.waiting };
  }

  add(item: Item): Promise<Result> {
    if (this.waiting >= this.#options.maxWaiting) {
      return Promise.reject(
        new OverloadError('database', 'too many requests are waiting for the database'),
      );
    }
    const answer = new Promise<Result>((resolve, reject) => {
      const isFirst = this.#options.isFirst?.(item) ?? false;
      (isFirst ? this.#first : this.#others).push({ item, resolve, reject });
    });
    this.#schedule();
    return answer;
  }

  /** After this turn of the event loop, so that what arrives together is sent together. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= this.#options.maxInFlight) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#send();
    });
  }

  #take(): Waiting<Item, Result>[] {
    const { maxBatch } = this.#options;
    const kept = Math.min(this.#others.length, Math.ceil(maxBatch * OTHERS_SHARE));
    const batch = this.#first.splice(0, Math.max(1, maxBatch - kept));
    batch.push(...this.#others.splice(0, maxBatch - batch.length));
    return batch;
  }

  async #send(): Promise<void> {
    const batch = this.#take();
    if (batch.length === 0) return;
    this.#inFlight++;
    if (this.waiting > 0) this.#schedule();
    try {
      const ready: Ready<Result> = (index, result) => batch[index]?.resolve(result);
      const results = await this.#options.run(
        batch.map((waiting) => waiting.item),
        ready,
      );
      settle(batch, results);
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    } finally {
      this.#inFlight--;
      if (this.waiting > 0) this.#schedule();
    }
  }
}

function settle<Item, Result>(batch: Waiting<Item, Result>[], results: readonly Result[]): void {
  if (results.length !== batch.length) throw new Error('a batch must answer each of its items');
  let index = 0;
  for (const result of results) batch[index++]?.resolve(result);
}
