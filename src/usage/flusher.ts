import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../lib/log-events.ts';
import { counter, gauge, type Metric } from '../lib/metric.ts';
import type { UsageBatch, UsageCounters } from './counters.ts';

/** Between the attempts of a stop, which is the last chance: long enough for a restart of Postgres. */
const STOP_PAUSES_MS = [50, 200, 800, 2000];

/** The number of a batch, in a stream that is written one batch after the other. */
export interface BatchNumber {
  stream: string;
  sequence: number;
}

/** Writes a batch in one transaction; a batch with a number that was written before has no effect. */
export type WriteUsage = (number: BatchNumber, batch: UsageBatch) => Promise<void>;

interface Stream {
  name: string;
  sequence: number;
  /** Taken, and not known to be written. */
  batches: UsageBatch[];
  round: Promise<void> | null;
}

export interface FlusherOptions {
  /** How many writes may be in flight. */
  streams?: number;
  stopPausesMs?: readonly number[];
}

/**
 * Writes the counters to Postgres, in rounds: all that is counted when a round begins. A batch is
 * frozen: it is retried unchanged until it is written, never merged with newer counts, so that its
 * number tells whether it has taken effect.
 */
export class UsageFlusher {
  readonly #counters: UsageCounters;
  readonly #write: WriteUsage;
  readonly #log: Log;
  readonly #stopPausesMs: readonly number[];
  readonly #streams: readonly Stream[];
  readonly #stopping = new AbortController();
  /** Of those who wait until what they have counted is written. */
  #waiting: PromiseWithResolvers<void> | null = null;
  #spreadMs = 0;
  #flushedAt = performance.now();
  #writes = 0;
  #failures = 0;
  #ticking = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(
    counters: UsageCounters,
    write: WriteUsage,
    log: Log,
    { streams = 1, stopPausesMs = STOP_PAUSES_MS }: FlusherOptions = {},
  ) {
    this.#counters = counters;
    this.#write = write;
    this.#log = log;
    this.#stopPausesMs = stopPausesMs;
    this.#streams = Array.from({ length: streams }, (_, index) => ({
      name: `usage-${index}`,
      sequence: 1,
      batches: [],
      round: null,
    }));
  }

  get metrics(): Metric[] {
    return [
      gauge(
        'keyward_usage_counters_waiting',
        'Counters that are not known to be written.',
        () => this.#counters.size,
      ),
      counter(
        'keyward_usage_flushes_total',
        'Batches of counters written to the database.',
        () => this.#writes,
      ),
      counter(
        'keyward_usage_flush_failures_total',
        'Writes of counters that failed. They are repeated.',
        () => this.#failures,
      ),
      gauge(
        'keyward_usage_flush_age_seconds',
        'Time since all counters of then were written.',
        () => (performance.now() - this.#flushedAt) / 1000,
      ),
    ];
  }

  /** The batches of a tick are spread over the interval, so that they never come all at once. */
  start(intervalMs: number): void {
    this.#spreadMs = intervalMs;
    this.#timer = setInterval(() => void this.#tick(), intervalMs);
  }

  /** Stops the timer and writes what is left. Rejects if every attempt fails. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    this.#stopping.abort();
    for (const pause of this.#stopPausesMs) {
      if (await this.#flushAndLog()) return;
      await delay(pause);
    }
    return this.flush();
  }

  /**
   * Resolves once all that the caller has just counted is written. Those who call while every stream
   * is at work share the next round.
   */
  commit(): Promise<void> {
    if (!this.#waiting) {
      this.#waiting = Promise.withResolvers();
      // After this turn of the event loop, so that what is counted together is written together.
      setImmediate(() => this.#startWaiting());
    }
    return this.#waiting.promise;
  }

  /** Writes everything that was counted before this call, in every stream. */
  async flush(): Promise<void> {
    await Promise.all(this.#streams.map((stream) => this.#roundAfter(stream)));
    this.#flushedAt = performance.now();
  }

  /** A round that begins after this call. */
  async #roundAfter(stream: Stream): Promise<void> {
    await stream.round?.catch(() => {});
    await (stream.round ?? this.#begin(stream));
  }

  #startWaiting(): void {
    const idle = this.#streams.find(({ round }) => round === null);
    if (this.#waiting && idle) this.#begin(idle).catch(() => {});
  }

  #begin(stream: Stream): Promise<void> {
    stream.round = this.#runRound(stream).finally(() => {
      stream.round = null;
      this.#startWaiting();
    });
    return stream.round;
  }

  /** All who wait when the counters are taken have counted before, so this round is theirs. */
  async #runRound(stream: Stream): Promise<void> {
    let waiting: PromiseWithResolvers<void> | null = null;
    try {
      // What could not be written before goes first.
      await this.#writeBatches(stream);
      waiting = this.#takeWaiting();
      stream.batches = this.#counters.take();
      await this.#writeBatches(stream, waiting ? 0 : this.#spreadMs / stream.batches.length);
      waiting?.resolve();
    } catch (error) {
      this.#failures++;
      (waiting ?? this.#takeWaiting())?.reject(error);
      throw error;
    }
  }

  #takeWaiting(): PromiseWithResolvers<void> | null {
    const waiting = this.#waiting;
    this.#waiting = null;
    return waiting;
  }

  async #writeBatches(stream: Stream, pauseMs = 0): Promise<void> {
    for (let [batch] = stream.batches; batch; [batch] = stream.batches) {
      await this.#write({ stream: stream.name, sequence: stream.sequence }, batch);
      this.#writes++;
      stream.sequence++;
      stream.batches.shift();
      this.#counters.release(batch);
      if (pauseMs > 0 && stream.batches.length > 0) await this.#pause(pauseMs);
    }
  }

  /** Ends at once when the flusher stops. */
  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
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
      const line = { err, waiting: this.#counters.size };
      this.#log.warn({ event: 'usage.flush_failed', ...line }, 'counters not written, will retry');
      return false;
    }
  }
}
