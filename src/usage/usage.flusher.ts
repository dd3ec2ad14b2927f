import type { Logger } from 'pino';
import type { UsageBatch, UsageCounters } from './usage.counters.ts';

const BATCH_COUNTERS = 5000;

/** Writes a batch in one transaction, once for each sequence number however often it is sent. */
export type WriteUsage = (sequence: number, batch: UsageBatch) => Promise<void>;

/**
 * Carries the counters to Postgres. A batch is frozen: it is retried as it is until it has been
 * written, never merged with newer counts, so that its number tells whether it has taken effect.
 */
export class UsageFlusher {
  readonly #counters: UsageCounters;
  readonly #write: WriteUsage;
  readonly #log: Logger;
  #frozen: UsageBatch | null = null;
  #sequence = 1;
  #current: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #ticking = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(counters: UsageCounters, write: WriteUsage, log: Logger) {
    this.#counters = counters;
    this.#write = write;
    this.#log = log;
  }

  start(intervalMs: number): void {
    this.#timer = setInterval(() => void this.#flushAndLog(), intervalMs);
  }

  /** Stops the timer and writes what is left. Rejects where that fails. */
  stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    return this.flush();
  }

  /**
   * Writes everything that was counted before this call. Callers who come while a write is under
   * way share the next one.
   */
  flush(): Promise<void> {
    this.#next ??= this.#after(this.#current);
    return this.#next;
  }

  async #after(before: Promise<void> | null): Promise<void> {
    await before?.catch(() => {});
    this.#current = this.#next;
    this.#next = null;
    await this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    for (let batch = this.#freeze(); batch; batch = this.#freeze()) {
      await this.#write(this.#sequence, batch);
      this.#frozen = null;
      this.#sequence++;
    }
  }

  #freeze(): UsageBatch | null {
    if (!this.#frozen && this.#counters.size > 0)
      this.#frozen = this.#counters.take(BATCH_COUNTERS);
    return this.#frozen;
  }

  /** On the timer: a write that takes longer than the interval is not followed by a queue. */
  async #flushAndLog(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      await this.flush();
    } catch (err) {
      this.#log.warn({ err, waiting: this.#counters.size }, 'counters not written, will retry');
    }
    this.#ticking = false;
  }
}
