import { setTimeout as delay } from 'node:timers/promises';
import type { Orm } from '../db/database.ts';
import { ALERT_TYPES, type AlertType } from '../domain/alert-types.ts';
import type { Clock } from '../lib/clock.ts';
import type { InTurn } from '../lib/fair-queue.ts';
import type { Log } from '../lib/log-events.ts';
import { UNSTOPPED } from '../lib/periodic-task.ts';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.ts';
import { AlertReader } from './alert-reader.ts';
import { AlertWriter, CheckLostError } from './alert-writer.ts';
import { type Check, takeCheck } from './checks.ts';
import type { Condition } from './condition.ts';
import { CREDITS_CONDITIONS } from './conditions/credits.ts';
import { ENDED_STRING_USED } from './conditions/ended-strings.ts';
import { EXPIRY_CONDITIONS } from './conditions/expiry.ts';
import { LIMITED_OFTEN } from './conditions/limited-often.ts';
import { ROTATION_DUE } from './conditions/rotation.ts';
import { KEY_UNUSED } from './conditions/unused.ts';
import { USAGE_UNUSUAL } from './conditions/unusual-use.ts';
import { WRONG_KEYS } from './conditions/wrong-keys.ts';
import { findingsOf } from './findings.ts';
import { countOpen, readWatched, type Watched } from './watched.ts';

const CONDITIONS: readonly Condition[] = [
  ...EXPIRY_CONDITIONS,
  ...CREDITS_CONDITIONS,
  ENDED_STRING_USED,
  ROTATION_DUE,
  KEY_UNUSED,
  USAGE_UNUSUAL,
  LIMITED_OFTEN,
  WRONG_KEYS,
];
/** New alerts of one run. The next one goes on. */
const MAX_OPENED = 500;
/** One after another: then it is not the workspace. */
const MAX_FAILED = 3;

export interface AlertJobOptions {
  orm: Orm;
  unitOfWork: UnitOfWork;
  log: Log;
  clock: Pick<Clock, 'now' | 'date'>;
  inTurn: InTurn;
  conditions?: readonly Condition[];
}

/** What this instance has done about the alerts of a type since its start. */
class Watch {
  readonly condition: Condition;
  /** When it last was through all workspaces without a failure, in epoch milliseconds; null: not yet. */
  lastSuccessAt: number | null = null;
  opened = 0;
  failures = 0;
  heldBack = 0;
  /** Whether a workspace had more than its share since all were last gone through. */
  hasLeft = false;

  constructor(condition: Condition) {
    this.condition = condition;
  }
}

/**
 * Opens alerts for what someone should know, and ends them when it is over. Every instance looks once a
 * minute for what is due, and one at a time works on a type, workspace by workspace; another run, on any
 * instance, goes on where one was interrupted.
 */
export class AlertJob {
  readonly #options: AlertJobOptions;
  readonly #reader: AlertReader;
  readonly #writer: AlertWriter;
  readonly #watches: readonly Watch[];
  #open: ReadonlyMap<string, number> = new Map();
  #first = 0;
  /** How many more may open in this run. */
  #room = MAX_OPENED;

  constructor(options: AlertJobOptions) {
    const { orm, unitOfWork, inTurn, conditions = CONDITIONS } = options;
    this.#options = options;
    this.#reader = new AlertReader(orm, inTurn);
    this.#writer = new AlertWriter(unitOfWork, inTurn);
    this.#watches = conditions.map((condition) => new Watch(condition));
  }

  get watches() {
    return this.#watches.map(
      ({ condition: { type }, lastSuccessAt, opened, failures, heldBack }) => {
        return { type, lastSuccessAt, opened, failures, heldBack };
      },
    );
  }

  /** Open alerts of all workspaces by type, as this instance last counted them. */
  get open(): [AlertType, number][] {
    return ALERT_TYPES.map((type) => [type, this.#open.get(type) ?? 0]);
  }

  /** Does what is due, beginning with another type each time: none takes all the room for itself. Never rejects. */
  async run(stopping = UNSTOPPED): Promise<void> {
    this.#room = MAX_OPENED;
    const first = this.#first++ % this.#watches.length;
    for (const watch of [...this.#watches.slice(first), ...this.#watches.slice(0, first)]) {
      if (!stopping.aborted) await this.#try(watch, () => this.#check(watch, stopping));
    }
    await this.#count().catch(() => undefined);
  }

  async #count(): Promise<void> {
    this.#open = new Map(await this.#reader.run(countOpen));
  }

  /** What fails is logged and counted, and keeps nothing else from its turn. */
  async #try(watch: Watch, work: () => Promise<boolean>): Promise<boolean> {
    try {
      return await work();
    } catch (err) {
      if (err instanceof CheckLostError) throw err;
      watch.failures++;
      const event = { event: 'alerts.check_failed', type: watch.condition.type } as const;
      this.#options.log.warn({ err, ...event }, 'a check for alerts failed, will retry');
      return false;
    }
  }

  async #check(watch: Watch, stopping: AbortSignal): Promise<boolean> {
    const { orm, clock, inTurn } = this.#options;
    if (this.#room === 0) return false;
    const check = await inTurn(() => takeCheck(orm, watch.condition, clock.date()));
    if (!check) return false;
    let isComplete = false;
    try {
      isComplete = await this.#walk(watch, check, stopping);
    } catch (err) {
      if (!(err instanceof CheckLostError)) throw err;
    } finally {
      const place = isComplete ? null : check.place;
      await inTurn(() => check.release(orm, clock.date(), place));
    }
    return isComplete;
  }

  /** Whether all workspaces were looked at. */
  async #walk(watch: Watch, check: Check, stopping: AbortSignal): Promise<boolean> {
    const { orm, clock, inTurn } = this.#options;
    const failures = watch.failures;
    for (;;) {
      const page = await this.#nextPage(watch.condition, check.place);
      if (page.length === 0) break;
      if (!(await this.#checkPage(watch, check, page, stopping))) return false;
      if (!(await inTurn(() => check.keep(orm, clock.date())))) return false;
    }
    if (watch.failures === failures) watch.lastSuccessAt = clock.now();
    if (!watch.hasLeft) return true;
    // The next run begins again, and does not wait until the next look is due.
    watch.hasLeft = false;
    check.place = '';
    return false;
  }

  /** Whether to go on. The pause leaves the database half of the time at least. */
  async #checkPage(
    watch: Watch,
    check: Check,
    page: readonly Watched[],
    stopping: AbortSignal,
  ): Promise<boolean> {
    let inARow = 0;
    for (const workspace of page) {
      if (stopping.aborted || this.#room === 0) return false;
      const startedAt = performance.now();
      const done = await this.#try(watch, () => this.#checkWorkspace(watch, check, workspace));
      inARow = done ? 0 : inARow + 1;
      if (this.#room === 0 || inARow === MAX_FAILED) return false;
      check.place = workspace.id;
      await delay(performance.now() - startedAt, undefined, { signal: stopping }).catch(() => {});
    }
    return true;
  }

  #nextPage({ type, concerns }: Condition, place: string): Promise<Watched[]> {
    const where = concerns?.(this.#options.clock.date());
    return this.#reader.run((tx) => readWatched(tx, type, place, where));
  }

  async #checkWorkspace(watch: Watch, check: Check, workspace: Watched): Promise<boolean> {
    const { orm, clock } = this.#options;
    const { condition } = watch;
    const deps = { orm, reader: this.#reader };
    const findings = await findingsOf(deps, condition, workspace, clock.date());
    await this.#writer.endSilently(check, findings.former);
    await this.#writer.end(check, findings.gone);
    // Half of what may still open, so that no workspace takes all.
    const fresh = findings.fresh.slice(0, Math.ceil(this.#room / 2));
    if (fresh.length < findings.fresh.length) watch.hasLeft = true;
    const opened = await this.#writer.open(check, condition, workspace, fresh);
    watch.opened += opened;
    this.#room -= fresh.length;
    if (findings.heldBack) watch.heldBack++;
    return true;
  }
}
