import { OverloadError } from './overload-error.ts';
import type { ResourceLimit } from './resource-limit.ts';

/** Runs a few tasks at once; a bounded number waits in order, and the rest is refused. */
export class ConcurrencyLimiter {
  readonly #concurrency: number;
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(concurrency: number, maxWaiting: number) {
    this.#concurrency = concurrency;
    this.#maxWaiting = maxWaiting;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  resourceLimit(name: string): ResourceLimit {
    return { name, max: this.#maxWaiting, used: () => this.waiting };
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #enter(): Promise<void> | undefined {
    if (this.#running < this.#concurrency) {
      this.#running++;
      return undefined;
    }
    if (this.#waiting.length >= this.#maxWaiting)
      throw new OverloadError('too many tasks are waiting');
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next in line takes over directly, so that no later task overtakes it. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running--;
  }
}
