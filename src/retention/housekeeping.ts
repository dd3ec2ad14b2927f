import type { Orm } from '../db/database.ts';
import type { InTurn } from '../lib/fair-queue.ts';
import type { Log } from '../lib/log-events.ts';
import { UNSTOPPED } from '../lib/periodic-task.ts';

export interface HousekeepingOptions {
  orm: Orm;
  log: Log;
  inTurn: InTurn;
  /** Each takes one short statement or transaction. */
  jobs: readonly ((orm: Orm) => Promise<unknown>)[];
}

/** Short jobs on every instance, such as those that delete what has served its purpose. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /** One job after another, so that they hold one connection. One that fails stops no other. Never rejects. */
  async run(stopping = UNSTOPPED): Promise<void> {
    const { orm, log, inTurn, jobs } = this.#options;
    for (const job of jobs) {
      if (stopping.aborted) return;
      await inTurn(() => job(orm)).catch((err) =>
        log.warn({ event: 'housekeeping.failed', err }, 'housekeeping failed, will retry'),
      );
    }
  }
}
