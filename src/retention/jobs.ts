import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config.ts';
import type { Orm } from '../db/database.ts';
import { isTimeout } from '../db/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { InTurn } from '../lib/fair-queue.ts';
import type { Log } from '../lib/log-events.ts';
import { UNSTOPPED } from '../lib/periodic-task.ts';
import { type Cutoffs, cutoffsAt } from './cutoffs.ts';
import type { StepResult } from './job.ts';
import { JobRun } from './job-run.ts';
import { MARK_ENDED_KEYS } from './marks.ts';
import { MOVES } from './moves.ts';
import { DROP_PARTITIONS, MAKE_PARTITIONS } from './partitions.ts';
import { REMOVALS } from './removals.ts';

/** How long counters wait in the usage log where the fold is behind: then the database has enough to do. */
const MAX_WAITING_MS = 30_000;
const JOBS = [MAKE_PARTITIONS, ...MOVES, DROP_PARTITIONS, ...REMOVALS, MARK_ENDED_KEYS];

export interface RetentionOptions {
  orm: Orm;
  log: Log;
  clock: Pick<Clock, 'now'>;
  fold: { readonly waitingMs: number };
  kept: Config['retention'];
  inTurn: InTurn;
}

/**
 * Moves usage on and removes what is no longer kept. Every instance looks once a minute, and one at a
 * time works, in steps that are a transaction each. An interrupted run is continued by the next one, on
 * any instance.
 */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #runs = JOBS.map((job) => new JobRun(job));

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** What each job has done since the start of this instance; times in epoch milliseconds. */
  get jobs() {
    return this.#runs.map(({ job: { name }, lastSuccessAt, rows, failures }) => {
      return { name, lastSuccessAt, rows, failures };
    });
  }

  /** The first hour that was not moved when this instance last looked, in epoch milliseconds. */
  get oldestOpenHour(): number | null {
    return this.#runs.find(({ job }) => job.name === 'move_recent')?.oldestHour ?? null;
  }

  /** Does what is due; stopping, it finishes the step in progress. Never rejects. */
  async run(stopping = UNSTOPPED): Promise<void> {
    for (const run of this.#runs) await this.#work(run, stopping);
  }

  /** One that fails keeps no other from its work. */
  async #work(run: JobRun, stopping: AbortSignal): Promise<void> {
    const { clock, kept, log } = this.#options;
    try {
      for (let more = true; more && !stopping.aborted; ) {
        const cutoffs = cutoffsAt(clock.now(), kept);
        more = run.isDue(cutoffs, clock.now()) && (await this.#step(run, cutoffs, stopping));
      }
    } catch (err) {
      run.failures++;
      const event = { event: 'retention.step_failed', job: run.job.name } as const;
      log.warn({ err, ...event }, 'a retention job failed, will retry');
    }
  }

  /** Whether there is more to do now. The pause leaves the database half of the time at least. */
  async #step(run: JobRun, cutoffs: Cutoffs, stopping: AbortSignal): Promise<boolean> {
    if (this.#options.fold.waitingMs > MAX_WAITING_MS) return false;
    const { result, tookMs } = await this.#attempt(run, cutoffs);
    if (result === null) return false;
    if (result !== 'too long') this.#add(run, result);
    await delay(tookMs, undefined, { signal: stopping }).catch(() => undefined);
    return true;
  }

  #attempt(run: JobRun, cutoffs: Cutoffs) {
    const { orm, inTurn } = this.#options;
    return inTurn(async () => {
      const startedAt = performance.now();
      run.begin(cutoffs);
      const result = await run.job
        .step(orm, cutoffs, run.place, run.maxRows)
        .catch((error: unknown) => {
          if (isTimeout(error) && run.shrink()) return 'too long' as const;
          throw error;
        });
      return { result, tookMs: performance.now() - startedAt };
    });
  }

  #add(run: JobRun, result: StepResult): void {
    const rows = run.add(result, this.#options.clock.now());
    if (!run.job.removes || !rows) return;
    const event = { event: 'retention.removed', job: run.job.name } as const;
    this.#options.log.info({ ...event, rows }, 'removed what is no longer kept');
  }
}
