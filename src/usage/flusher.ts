import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { UsageBatch, UsageCounters } from './counters.ts';

/** Small enough that building one delays no answer noticeably. */
const BATCH_COUNTERS = 500;
/** Between the attempts of a stop, which is the last chance: long enough for a restart of Postgres. */
const STOP_PAUSES_MS = [50, 200, 800, 2000];

/** Writes a batch in one transaction; a batch with a number that was written before has no effect. */
export type WriteUsage = (sequence: number, batch: UsageBatch) => Promise<void>;

/**
 * Writes the counters to Postgres. A batch is frozen: it is retried unchanged until it is written,
 * never merged with newer counts, so that its number tells whether it has taken effect.
 */
export class UsageFlusher {
  readonly #counters: UsageCounters;
  readonly #write: WriteUsage;
  readonly #log: Logger;
  readonly #stopPausesMs: readonly number[];
  #frozen: UsageBatch | null = null;
  #sequence = 1;
  #current: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #ticking = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(
    counters: UsageCounters,
    write: WriteUsage,
    log: Logger,
    stopPausesMs: readonly number[] = STOP_PAUSES_MS,
  ) {
    this.#counters = counters;
    this.#write = write;
    this.#log = log;
    this.#stopPausesMs = stopPausesMs;
  }

  start(intervalMs: number): void {
    this.#timer = setInterval(() => void this.#tick(), intervalMs);
  }

  /** Stops the timer and writes what is left. Rejects if every attempt fails. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    for (const pause of this.#stopPausesMs) {
      if (await this.#flushAndLog()) return;
      await delay(pause);
    }
    return this.flush();
  }

  /**
   * Writes everything that was counted before this call. Callers that arrive during a write share
   * the next one.
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

  /** The batch of a failed write, then what is counted by now: not what comes meanwhile, to end. */
  async #writeAll(): Promise<void> {
    if (this.#frozen) await this.#writeFrozen(this.#frozen);
    for (let left = this.#counters.size; left > 0; left -= BATCH_COUNTERS) {
      await this.#writeFrozen(this.#counters.take(BATCH_COUNTERS));
    }
  }

  async #writeFrozen(batch: UsageBatch): Promise<void> {
    this.#frozen = batch;
    await this.#write(this.#sequence, batch);
    this.#frozen = null;
    this.#sequence++;
  }

  /** A write that takes longer than the interval is not followed by a queue of others. */
  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    await this.#flushAndLog();
    this.#ticking = false;
  }

  async #flushAndLog(): Promise<boolean> {
    try {
      await this.flush();
      return true;
    } catch (err) {
      this.#log.warn({ err, waiting: this.#counters.size }, 'counters not written, will retry');
      return false;
    }
  }
}
