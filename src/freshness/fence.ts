import { randomUUID } from 'node:crypto';
import type { Database, Statement, TextStatement } from '../db/database.ts';
import { sqlState } from '../db/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { Histogram } from '../lib/histogram.ts';
import { Counters, counter, countersBy, gauge, histogram, type Metric } from '../lib/metric.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import type { Invalidation, InvalidationListener } from './invalidation.ts';
import { TimeShare } from './time-share.ts';

/** When, and in which run of Postgres, a statement saw what. */
interface Moment {
  snapshot: string;
  incarnation: string | null;
  started: number;
  time: number;
}

interface Changes extends Moment {
  went_back: boolean | null;
  pruned: boolean | null;
  invalidations: Invalidation[] | null;
}

const MOMENT = `
           pg_current_snapshot() as snapshot,
           (select id from incarnation) as incarnation,
           date_part('epoch', pg_postmaster_start_time()) as started,
           date_part('epoch', clock_timestamp()) * 1000 as time`;

/** Whether anything can have changed: the same snapshot in the same run of Postgres sees the same. */
const PROBE: TextStatement<Moment> = {
  name: 'fence',
  text: `select ${MOMENT}`,
  read: ([snapshot, incarnation, started, time]) => ({
    snapshot: String(snapshot),
    incarnation: incarnation ?? null,
    started: Number(started),
    time: Number(time),
  }),
};

/**
 * One statement, so one snapshot: what became visible since the previous fence, and whether that
 * question still makes sense. Rows of transactions in `xip` or from `xmax` on that were not visible
 * then: a late commit is neither skipped nor read twice, and a long transaction costs nothing.
 */
const READ_CHANGES: Statement = {
  name: 'read_changes',
  text: `
    select ${MOMENT},
           pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax($1::pg_snapshot) as went_back,
           pg_snapshot_xmin($1::pg_snapshot) < (select below from feed_pruned) as pruned,
           (select json_agg(json_build_object('kind', kind, 'id', id))
              from change_feed
             where (txid = any(array(select pg_snapshot_xip($1::pg_snapshot)))
                    or txid >= pg_snapshot_xmax($1::pg_snapshot))
               and not pg_visible_in_snapshot(txid, $1::pg_snapshot)) as invalidations`,
};

const INSERT_INCARNATION: Statement = {
  name: 'insert_incarnation',
  text: 'insert into incarnation (id) values ($1) on conflict do nothing',
};

/** A replica has no UNLOGGED tables, and Postgres refuses each statement that names one. */
const FEATURE_NOT_SUPPORTED = '0A000';

/** After a failure, callers are refused at once for this long before the database is tried again. */
const RETRY_AFTER_MS = 100;
/** Fences are in flight for no more of the time: Postgres and this process have others to serve. */
const SHARE = 0.7;
/** Whatever the last fence took, its share allows the next one after this. */
const PAUSE_MS = 1;
const FENCE_SECONDS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5];

const RESET_REASONS = ['first', 'other_run', 'connection_lost', 'went_back', 'pruned'] as const;
type ResetReason = (typeof RESET_REASONS)[number];

/**
 * Guarantees that everything cached is fresh, with a small query. A caller waits for a fence that
 * begins after the call; when it returns, the caches hold nothing older than the call. Fences are a
 * chain, at most one in flight: callers that arrive meanwhile share the next one.
 */
export class Fence {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #time: TimeShare;
  readonly #listeners: InvalidationListener[] = [];
  #next: PromiseWithResolvers<true> | null = null;
  #inFlight = false;
  #previous: Moment | null = null;
  #losses = 0;
  #lossesAtLastFence = 0;
  #failedAt: number | null = null;
  #returnedAt = Number.NEGATIVE_INFINITY;
  readonly #resets = new Counters<ResetReason>(RESET_REASONS);
  readonly #seconds = new Histogram(FENCE_SECONDS);
  #count = 0;
  #failures = 0;

  constructor(database: Database, clock: Clock, time = new TimeShare(SHARE)) {
    this.#database = database;
    this.#clock = clock;
    this.#time = time;
    database.onConnectionLoss(() => this.#losses++);
  }

  /** Listeners hear of invalidations before the callers that waited for the fence go on. */
  subscribe(listener: InvalidationListener): void {
    this.#listeners.push(listener);
  }

  /** Identifies the run of Postgres that the last fence spoke to; null before the first fence. */
  get incarnation(): string | null {
    return this.#previous?.incarnation ?? null;
  }

  /** Milliseconds since a fence last returned. */
  get ageMs(): number {
    return performance.now() - this.#returnedAt;
  }

  /** Fences sent since the start. */
  get count(): number {
    return this.#count;
  }

  get metrics(): Metric[] {
    return [
      counter('keyward_fences_total', 'Fence statements sent to the database.', () => this.#count),
      counter(
        'keyward_fence_failures_total',
        'Fences that the database did not answer.',
        () => this.#failures,
      ),
      histogram('keyward_fence_duration_seconds', 'How long fences took.', this.#seconds),
      gauge(
        'keyward_fence_age_seconds',
        'Time since a fence last returned. It grows on an instance that nothing is asked of.',
        () => this.ageMs / 1000,
      ),
      countersBy(
        'reason',
        'keyward_cache_resets_total',
        'How often all that is cached was dropped, by why nothing newer could be asked for.',
        () => this.#resets.entries(),
      ),
    ];
  }

  /** Resolves, to true, when a fence that began after this call has returned. */
  waitUntilFresh(): Promise<true> {
    if (this.isDown) return Promise.reject(new UnavailableError('the database is away'));
    if (!this.#next) {
      this.#next = Promise.withResolvers<true>();
      if (!this.#inFlight) this.#schedule();
    }
    return this.#next.promise;
  }

  /** While the database is away, one caller at a time tries it; the others are refused at once. */
  get isDown(): boolean {
    if (this.#failedAt === null) return false;
    return this.#inFlight || performance.now() - this.#failedAt < RETRY_AFTER_MS;
  }

  #schedule(): void {
    this.#inFlight = true;
    // At the end of the event loop's turn: calls that arrived together share one fence.
    if (this.#time.isLeft) setImmediate(() => void this.#run());
    else setTimeout(() => void this.#run(), PAUSE_MS);
  }

  async #run(): Promise<void> {
    const waiting = this.#next;
    this.#next = null;
    this.#time.begin();
    const began = performance.now();
    try {
      await this.#pass();
      this.#failedAt = null;
      this.#returnedAt = performance.now();
      waiting?.resolve(true);
    } catch (error) {
      this.#losses++;
      this.#failures++;
      this.#failedAt = performance.now();
      waiting?.reject(new UnavailableError(describeFailure(error), { cause: error }));
    }
    this.#time.end();
    this.#seconds.observe((performance.now() - began) / 1000);
    this.#inFlight = false;
    if (this.#next) this.#schedule();
  }

  async #pass(): Promise<void> {
    this.#count++;
    const losses = this.#losses;
    const [probe] = await this.#database.query(PROBE, []);
    if (!probe) throw new Error('a probe has one row');
    if (this.#isUnchanged(probe)) this.#clock.sync(probe.time);
    else this.#apply(probe, await this.#readChanges(), losses);
  }

  async #readChanges(): Promise<Changes> {
    const since = this.#previous?.snapshot ?? null;
    const [row] = await this.#database.query<Changes>(READ_CHANGES, [since]);
    if (!row) throw new Error('a fence has one row');
    if (row.incarnation) return row;
    await this.#database.query(INSERT_INCARNATION, [randomUUID()]);
    return this.#readChanges();
  }

  #apply(probe: Moment, row: Changes, losses: number): void {
    this.#clock.sync(row.time);
    // A sign of another run counts, even if the second statement did not see it.
    const reset = this.#otherRun(probe) ?? this.#reasonToReset(row);
    if (reset) this.#resets.add(reset);
    this.#previous = row;
    this.#lossesAtLastFence = losses;
    for (const listener of this.#listeners) {
      if (reset) listener.reset();
      else if (row.invalidations) listener.invalidate(row.invalidations);
    }
  }

  /** Whether everything that a reading of the feed could name was there at the previous fence. */
  #isUnchanged(probe: Moment): boolean {
    return probe.snapshot === this.#previous?.snapshot && this.#otherRun(probe) === null;
  }

  /** Why "since the previous fence" has lost its meaning; null if it has not. */
  #reasonToReset(row: Changes): ResetReason | null {
    const otherRun = this.#otherRun(row);
    if (otherRun) return otherRun;
    if (row.went_back === true) return 'went_back';
    return row.pruned === true ? 'pruned' : null;
  }

  /** How Postgres may have started again since the previous fence; null if it has not. */
  #otherRun({ incarnation, started }: Moment): ResetReason | null {
    const previous = this.#previous;
    if (!previous) return 'first';
    if (this.#losses !== this.#lossesAtLastFence) return 'connection_lost';
    const isSame = incarnation === previous.incarnation && started === previous.started;
    return isSame ? null : 'other_run';
  }
}

function describeFailure(error: unknown): string {
  if (sqlState(error) !== FEATURE_NOT_SUPPORTED) return 'the database did not answer';
  return 'the database is a replica; Keyward needs the primary';
}
