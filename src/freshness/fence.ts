import { randomUUID } from 'node:crypto';
import type { Database, Statement } from '../db/database.ts';
import { sqlState } from '../db/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';

/** What the change feed names: memory of it may be out of date. */
export interface Invalidation {
  kind: 'secret' | 'key' | 'workspace' | 'everything';
  id: string;
}

export interface InvalidationListener {
  invalidate(changes: readonly Invalidation[]): void;
  /** Everything may have changed: nothing read before now may be used. */
  reset(): void;
}

interface FenceRow {
  snapshot: string;
  incarnation: string | null;
  started: string;
  time: number;
  went_back: boolean | null;
  pruned: boolean | null;
  changes: Invalidation[] | null;
}

/**
 * One statement, so one snapshot: what became visible since the previous fence, and whether that
 * question still makes sense. `xip` or from `xmax` on, and not visible then: a late commit is
 * neither skipped nor read twice, and a long-open transaction costs nothing.
 */
const FENCE_STATEMENT: Statement = {
  name: 'fence',
  text: `
    select pg_current_snapshot()::text as snapshot,
           (select id::text from incarnation) as incarnation,
           pg_postmaster_start_time()::text as started,
           extract(epoch from clock_timestamp())::float8 * 1000 as time,
           pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax($1::pg_snapshot) as went_back,
           pg_snapshot_xmin($1::pg_snapshot) < (select below from feed_pruned) as pruned,
           (select json_agg(json_build_object('kind', kind, 'id', id))
              from change_feed
             where (txid = any(array(select pg_snapshot_xip($1::pg_snapshot)))
                    or txid >= pg_snapshot_xmax($1::pg_snapshot))
               and not pg_visible_in_snapshot(txid, $1::pg_snapshot)) as changes`,
};

const INSERT_INCARNATION: Statement = {
  name: 'settle_incarnation',
  text: 'insert into incarnation (id) values ($1) on conflict do nothing',
};

/** A replica has no UNLOGGED tables, and Postgres refuses each statement that names one. */
const NOT_ON_A_REPLICA = '0A000';

/** After a failure, how long callers are refused at once before the database is tried again. */
const RETRY_AFTER_MS = 100;
/**
 * How many fences an instance sends at most: a burst at once in each slot of as many pauses, and one
 * a pause beyond that. Less than two thousand a second.
 */
const PAUSE_MS = 1;
const BURST = 4;

interface FenceWaiters {
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Vouches for everything in memory with one tiny query. Whoever arrives waits for a fence that
 * begins after that moment; when it returns, memory holds nothing older than his arrival. Fences
 * are a chain, at most one in flight, shared by all who arrived meanwhile.
 */
export class Fence {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #listeners: InvalidationListener[] = [];
  #next: FenceWaiters | null = null;
  #inFlight = false;
  #previous: FenceRow | null = null;
  #losses = 0;
  #lossesAtLastFence = 0;
  #failedAt: number | null = null;
  #returnedAt = Number.NEGATIVE_INFINITY;
  #count = 0;
  #slot = 0;
  #inSlot = 0;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    database.onConnectionLoss(() => this.#losses++);
  }

  subscribe(listener: InvalidationListener): void {
    this.#listeners.push(listener);
  }

  /** Which run of Postgres the last fence spoke to; null before the first. */
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

  /** Resolves when a fence that began after this call has returned. */
  waitUntilFresh(): Promise<void> {
    if (this.isDown) return Promise.reject(new UnavailableError('the database is away'));
    if (!this.#next) {
      this.#next = Promise.withResolvers<void>();
      if (!this.#inFlight) this.#schedule();
    }
    return this.#next.promise;
  }

  /** While the database is away one caller at a time asks for it; the others hear so at once. */
  get isDown(): boolean {
    if (this.#failedAt === null) return false;
    return this.#inFlight || performance.now() - this.#failedAt < RETRY_AFTER_MS;
  }

  #schedule(): void {
    const slot = Math.floor(performance.now() / (PAUSE_MS * BURST));
    if (slot !== this.#slot) {
      this.#slot = slot;
      this.#inSlot = 0;
    }
    this.#inFlight = true;
    // At the end of the turn of the event loop: what arrived together shares one fence.
    if (this.#inSlot++ < BURST) setImmediate(() => void this.#run());
    else setTimeout(() => void this.#run(), PAUSE_MS);
  }

  async #run(): Promise<void> {
    const passing = this.#next;
    this.#next = null;
    const losses = this.#losses;
    try {
      this.#apply(await this.#ask(), losses);
      this.#failedAt = null;
      this.#returnedAt = performance.now();
      passing?.resolve();
    } catch (error) {
      this.#losses++;
      this.#failedAt = performance.now();
      passing?.reject(new UnavailableError(describeFailure(error), { cause: error }));
    }
    this.#inFlight = false;
    if (this.#next) this.#schedule();
  }

  async #ask(): Promise<FenceRow> {
    this.#count++;
    const [row] = await this.#database.query<FenceRow>(FENCE_STATEMENT, [
      this.#previous?.snapshot ?? null,
    ]);
    if (!row) throw new Error('a fence has one row');
    if (row.incarnation) return row;
    await this.#database.query(INSERT_INCARNATION, [randomUUID()]);
    return this.#ask();
  }

  #apply(row: FenceRow, losses: number): void {
    this.#clock.sync(row.time);
    const reset = this.#mustReset(row);
    this.#previous = row;
    this.#lossesAtLastFence = losses;
    for (const listener of this.#listeners) {
      if (reset) listener.reset();
      else if (row.changes) listener.invalidate(row.changes);
    }
  }

  /** Whether "since the previous fence" means nothing any more. */
  #mustReset(row: FenceRow): boolean {
    const previous = this.#previous;
    if (!previous || this.#losses !== this.#lossesAtLastFence) return true;
    if (row.incarnation !== previous.incarnation || row.started !== previous.started) return true;
    return row.went_back === true || row.pruned === true;
  }
}

function describeFailure(error: unknown): string {
  if (sqlState(error) !== NOT_ON_A_REPLICA) return 'the database did not answer';
  return 'the database is a replica; Keyward needs the primary';
}
