import type { Logger } from 'pino';
import type { Database } from '../db/database.ts';
import { isTimeout } from '../db/errors.ts';
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
  readonly #log: Logger;
  /** How many counters a step takes, so that STEP_COUNTERS are left of them. */
  #stepCounters = STEP_COUNTERS;
  #waitingRows = 0;
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(database: Database, log: Logger) {
    this.#database = database;
    this.#log = log;
  }

  /** Rows in the log when this instance last looked. */
  get waitingRows(): number {
    return this.#waitingRows;
  }

  /** Folds what is due. A call during another one shares it. */
  run(): Promise<void> {
    this.#running ??= this.#runOnce()
      .catch((err: unknown) => this.#log.warn({ err }, 'the usage log was not folded, will retry'))
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  /** Ends after the step under way: what is left in the log is folded by other instances, or later. */
  stop(): void {
    this.#stopped = true;
  }

  /** Folds everything that is in the log, due or not, unless another instance is at work. */
  async foldAll(): Promise<void> {
    await this.#running;
    await this.#foldEach();
  }

  async #foldEach(): Promise<void> {
    for (const { shard, counters } of await this.#look()) await this.#foldShard(shard, counters);
  }

  async #runOnce(): Promise<void> {
    const waiting = await this.#look();
    const counters = waiting.reduce((sum, shard) => sum + shard.counters, 0);
    if (counters <= FEW_COUNTERS) return this.#foldEach();
    for (const shard of waiting) await this.#foldDue(shard);
  }

  async #look(): Promise<WaitingShard[]> {
    const waiting = await readWaiting(this.#database);
    this.#waitingRows = waiting.reduce((sum, { rows }) => sum + rows, 0);
    return waiting;
  }

  async #foldDue({ shard, counters, ageMs }: WaitingShard): Promise<void> {
    if (shard === MIXED_SHARD && counters > STEP_COUNTERS) await this.#shardMixed(counters);
    else if (shard === MIXED_SHARD || ageMs >= MERGE_MS) await this.#foldShard(shard, counters);
  }

  async #shardMixed(counters: number): Promise<void> {
    for (let left = counters; left > 0; left -= MAX_STEP_COUNTERS) {
      if ((await shardMixed(this.#database, MAX_STEP_COUNTERS)) === null) return;
    }
  }

  /** What was there, not what comes meanwhile, to end. */
  async #foldShard(shard: number, counters: number): Promise<void> {
    for (let left = counters; left > 0; ) {
      left -= this.#stepCounters;
      const merged = await this.#step(shard);
      if (merged === null) return;
      this.#adapt(merged);
    }
  }

  /** Rows that others have locked are passed by in a second attempt, of less: it costs more. */
  async #step(shard: number): Promise<number | null> {
    if (this.#stopped) return null;
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
