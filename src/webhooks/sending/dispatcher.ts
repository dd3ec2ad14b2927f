import type { Orm } from '../../db/database.ts';
import { toIso } from '../../domain/time.ts';
import type { Clock } from '../../lib/clock.ts';
import type { InTurn } from '../../lib/fair-queue.ts';
import type { Log } from '../../lib/log-events.ts';
import type { Metric } from '../../lib/metric.ts';
import { nextAttemptAt, type Outcome } from './attempt-result.ts';
import { DeliveryCounts } from './metrics.ts';
import { type Claim, claimDue, recordAttempt, recordHealth, releaseLease } from './queue.ts';

/** An attempt lasts ten seconds at most, so that the lease of one under way does not end. */
const LEASE_MS = 60_000;
/** What is left of a lease at the start of an attempt, or it is not made: the process was suspended. */
const LEAST_LEASE_MS = 30_000;
/** A webhook whose last attempt failed or took as long has its place among those like it. */
const SLOW_MS = 1000;

/** Slow receivers use up their own places alone: what has begun as quick, and lasts, makes way. */
const PLACES = {
  quick: { places: 24, placesEach: 4 },
  slow: { places: 8, placesEach: 1 },
} as const;
type Pace = keyof typeof PLACES;
/** Attempts that have made way, and are under way. Beyond that they keep their places. */
const MAX_LATE = 64;

/** Which places an attempt counts to. */
interface Place {
  kind: Pace | 'late';
}

interface DispatcherOptions {
  orm: Orm;
  clock: Pick<Clock, 'now' | 'date'>;
  log: Log;
  inTurn: InTurn;
  writesStdout: boolean;
  /** Makes the attempt. Null: `stopping` ended it. Never rejects. */
  attempt: (claim: Claim, at: Date, stopping: AbortSignal) => Promise<Outcome | null>;
  /** Told of a failure once it is recorded. */
  onFailure: (claim: Claim, outcome: Outcome, at: Date) => Promise<void>;
}

/** Sends the deliveries that are due, a few at once, as one of several instances. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #counts = new DeliveryCounts();
  readonly #stopping = new AbortController();
  readonly #aborting = new AbortController();
  /** By webhook, how many attempts are under way. */
  readonly #underWay = new Map<string, number>();
  readonly #used = { quick: 0, slow: 0, late: 0 };
  readonly #slow = new Set<string>();
  readonly #attempts = new Set<Promise<void>>();
  #isAsked = false;
  #filling: Promise<void> | null = null;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  get metrics(): Metric[] {
    return this.#counts.metrics;
  }

  /** Measures how long the oldest event has waited. */
  measure(orm: Orm): Promise<void> {
    return this.#counts.measure(orm, this.#options.clock.now());
  }

  /** Starts what is due, as far as there is room; asked again meanwhile, it looks once more. Never rejects. */
  run(): Promise<void> {
    this.#isAsked = true;
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null;
      // Asked between its last look and here.
      if (this.#isAsked && !this.#stopping.signal.aborted) void this.run();
    });
    return this.#filling;
  }

  /** Until nothing is under way. */
  async idle(): Promise<void> {
    while (this.#filling || this.#attempts.size > 0) {
      await Promise.all([this.#filling, ...this.#attempts]);
    }
  }

  /** Starts nothing more, and ends what is under way after the grace. What was not sent, another instance sends. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    const timer = setTimeout(() => this.#aborting.abort(), graceMs);
    await this.idle();
    clearTimeout(timer);
  }

  async #fill(): Promise<void> {
    while (this.#isAsked && !this.#stopping.signal.aborted) {
      this.#isAsked = false;
      await this.#claim('quick');
      if (this.#slow.size > 0) await this.#claim('slow');
    }
  }

  async #claim(pace: Pace): Promise<void> {
    const { orm, clock, inTurn, writesStdout, log } = this.#options;
    const { placesEach, places: all } = PLACES[pace];
    const places = all - this.#used[pace];
    if (places === 0) return;
    const whose = { slowWebhooks: [...this.#slow], isForSlow: pace === 'slow', writesStdout };
    const room = { places, placesEach, underWay: this.#underWay, ...whose };
    try {
      const now = clock.date();
      const leasedUntil = new Date(now.getTime() + LEASE_MS);
      const claims = await inTurn(() => claimDue(orm, room, now, leasedUntil));
      for (const claim of claims) this.#start(claim, pace);
    } catch (err) {
      log.warn({ event: 'webhooks.queue_failed', err }, 'deliveries could not be read, will retry');
    }
  }

  #start(claim: Claim, pace: Pace): void {
    const place: Place = { kind: pace };
    this.#count(claim, pace, 1);
    const late = setTimeout(() => this.#makeWay(claim, place), SLOW_MS);
    const attempt = this.#work(claim)
      .catch((err) => {
        const event = 'webhooks.queue_failed';
        this.#options.log.warn({ event, err }, 'an attempt was not recorded, will be repeated');
      })
      .finally(() => {
        clearTimeout(late);
        this.#count(claim, place.kind, -1);
        this.#attempts.delete(attempt);
        void this.run();
      });
    this.#attempts.add(attempt);
  }

  #makeWay({ webhookId }: Claim, place: Place): void {
    this.#slow.add(webhookId);
    if (place.kind === 'slow' || this.#used.late === MAX_LATE) return;
    this.#used.quick--;
    this.#used.late++;
    place.kind = 'late';
    void this.run();
  }

  #count({ webhookId }: Claim, kind: Place['kind'], change: 1 | -1): void {
    this.#used[kind] += change;
    const underWay = (this.#underWay.get(webhookId) ?? 0) + change;
    if (underWay === 0) this.#underWay.delete(webhookId);
    else this.#underWay.set(webhookId, underWay);
  }

  async #work(claim: Claim): Promise<void> {
    const { clock, attempt } = this.#options;
    const at = clock.date();
    if (claim.leasedUntil.getTime() - at.getTime() < LEAST_LEASE_MS) return;
    const startedAt = performance.now();
    const outcome = await attempt(claim, at, this.#aborting.signal);
    const durationMs = Math.round(performance.now() - startedAt);
    if (outcome) await this.#record(claim, outcome, { at, durationMs });
    else await this.#options.inTurn(() => releaseLease(this.#options.orm, claim));
  }

  async #record(
    claim: Claim,
    outcome: Outcome,
    { at, durationMs }: { at: Date; durationMs: number },
  ): Promise<void> {
    const { orm, clock, inTurn, onFailure } = this.#options;
    const { webhookId, failures } = claim;
    const { error } = outcome;
    if (error !== null || durationMs > SLOW_MS) this.#slow.add(webhookId);
    else this.#slow.delete(webhookId);
    this.#counts.add(error);
    const now = clock.date();
    const dueAt = error && nextAttemptAt(failures + 1, error, now);
    const recorded = { at: toIso(at), ...outcome, durationMs };
    await inTurn(() => recordAttempt(orm, claim, recorded, { at: now, dueAt }));
    await inTurn(() => recordHealth(orm, claim, error === null, now));
    if (error) await onFailure(claim, outcome, now);
  }
}
