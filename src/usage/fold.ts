import type { Database } from '../db/database.ts';
import { isTimeout } from '../db/errors.ts';
import type { Log } from '../lib/log-events.ts';
import { counter, gauge, type Metric } from '../lib/metric.ts';
import { UNSTOPPED } from '../lib/periodic-task.ts';
import { foldShard, readWaiting, shardMixed, type WaitingShard } from './log-store.ts';
import { MIXED_SHARD } from './shards.ts';

/** So few are added at once: what was flushed is then read within a second. */
const FEW_COUNTERS = 2000;
/** More wait until several counts of a key can be added together, which costs one write. */
const MERGE_MS = 10_000;
/** Of equal ones added up: a step with more takes longer than 30 ms. */
const STEP_COUNTERS = 700;
/** Where even such a step takes too long. */
const MIN_STEP_COUNTERS = 50;
const MAX_STEP_COUNTERS = 8000;

/**
 * Adds the usage log to the tables that are read. Every instance looks once a second, and one at a time
 * works, in steps that are a transaction each; one that fails is repeated. Nothing but what reads shows
 * waits for it.
 */
export class UsageFold {
  readonly #database: Database;
  readonly #log: Log;
  /** How many counters a step takes, so that about STEP_COUNTERS are left when equal ones are added up. */
  #stepCounters = STEP_COUNTERS;
  #waitingRows = 0;
  #waitingMs = 0;
  #folded = 0;
  #failures = 0;

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
  }

  /** Age of the oldest row in the log when this instance last looked. */
  get waitingMs(): number {
    return this.#waitingMs;
  }

  get metrics(): Metric[] {
    return [
      gauge(
        'keyward_usage_log_rows',
        'Rows of counters that waited to be folded when this instance last looked, once a second.',
        () => this.#waitingRows,
      ),
      gauge(
        'keyward_usage_log_age_seconds',
        'Age of the oldest of these rows; 0 if there is none.',
        () => this.#waitingMs / 1000,
      ),
      counter(
        'keyward_usage_folded_counters_total',
        'Counters that this instance has folded, equal ones added up.',
        () => this.#folded,
      ),
      counter(
        'keyward_usage_fold_failures_total',
        'Folds that failed. They are repeated.',
        () => this.#failures,
      ),
    ];
  }

  /**
   * Folds what is due. Stopping, it ends after the step in progress: what is left in the log is folded by
   * other instances, or later. Never rejects.
   */
  async run(stopping = UNSTOPPED): Promise<void> {
    try {
      const waiting = await this.#look();
      const counters = waiting.reduce((sum, shard) => sum + shard.counters, 0);
      const areFew = counters <= FEW_COUNTERS;
      await forEachShard(waiting, (shard) =>
        areFew ? this.#foldShard(shard, stopping) : this.#foldDue(shard, stopping),
      );
    } catch (err) {
      this.#failures++;
      const event = 'usage.fold_failed';
      this.#log.warn({ event, err }, 'the usage log was not folded, will retry');
    }
  }

  /** Folds everything that is in the log, due or not, unless another run is at work. */
  async foldAll(): Promise<void> {
    await forEachShard(await this.#look(), (waiting) => this.#foldShard(waiting, UNSTOPPED));
  }

  async #look(): Promise<WaitingShard[]> {
    const waiting = await readWaiting(this.#database);
    this.#waitingRows = waiting.reduce((sum, { rows }) => sum + rows, 0);
    this.#waitingMs = Math.max(0, ...waiting.map(({ ageMs }) => ageMs));
    return waiting;
  }

  async #foldDue(waiting: WaitingShard, stopping: AbortSignal): Promise<void> {
    const { shard, counters, ageMs } = waiting;
    const isMixed = shard === MIXED_SHARD;
    if (isMixed && counters > STEP_COUNTERS) await this.#distribute(counters, stopping);
    else if (isMixed || ageMs >= MERGE_MS) await this.#foldShard(waiting, stopping);
  }

  async #distribute(counters: number, stopping: AbortSignal): Promise<void> {
    for (let left = counters; left > 0 && !stopping.aborted; left -= MAX_STEP_COUNTERS) {
      if ((await shardMixed(this.#database, MAX_STEP_COUNTERS)) === null) return;
    }
  }

  /** What was there, not what comes meanwhile, to end. */
  async #foldShard({ shard, counters }: WaitingShard, stopping: AbortSignal): Promise<void> {
    for (let left = counters; left > 0 && !stopping.aborted; ) {
      const merged = await this.#step(shard);
      if (merged === null) return;
      this.#folded += merged;
      left -= this.#stepCounters;
      this.#adapt(merged);
    }
  }

  /** Rows that others have locked are passed by in a second attempt, of less: it costs more. */
  async #step(shard: number): Promise<number | null> {
    try {
      return await foldShard(this.#database, shard, this.#stepCounters, { passingLocked: false });
    } catch (error) {
      if (!isTimeout(error)) throw error;
      this.#stepCounters = Math.max(Math.round(this.#stepCounters / 2), MIN_STEP_COUNTERS);
      return foldShard(this.#database, shard, this.#stepCounters, { passingLocked: true });
    }
  }

  #adapt(merged: number): void {
    const factor = merged > STEP_COUNTERS ? STEP_COUNTERS / merged : 2;
    const next = Math.round(this.#stepCounters * factor);
    this.#stepCounters = Math.min(Math.max(next, MIN_STEP_COUNTERS), MAX_STEP_COUNTERS);
  }
}

/** A shard that cannot be folded now keeps no other one waiting. */
async function forEachShard(
  waiting: readonly WaitingShard[],
  work: (shard: WaitingShard) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const shard of waiting) await work(shard).catch((error) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
