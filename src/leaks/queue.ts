import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../lib/log-events.ts';
import { Counters, countersBy, type Metric } from '../lib/metric.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { SharedBound } from '../lib/shared-bound.ts';
import { turnKeeper } from '../lib/turns.ts';
import type { LeakReport } from './report.ts';

/** Whether a report is one of a key. */
export type Outcome = 'matched' | 'unmatched';

const MAX_BYTES = 1024 * 1024;
/** For what anyone sends; the rest is GitHub's. */
const SHARE = 0.75;
const REPORT_BYTES = 256;
const BYTES_PER_CHARACTER = 2;
/** Strings that wait to be looked up, of each entrance: they are looked up together. */
const MAX_LOOKUPS = 100;
const RETRY_MS = 1000;
const MAX_ATTEMPTS = 30;

/** How a report is worked off: at once, together with others once nothing else waits, or never. */
export type Order = 'now' | 'later' | 'never';

export interface ReportHandler {
  /** Tells it without asking anyone, so that what is forged delays nothing. */
  orderOf: (report: LeakReport, stopping: AbortSignal) => Order;
  handle: (report: LeakReport) => Promise<Outcome>;
}

interface Waiting {
  report: LeakReport;
  attempts: number;
  release: () => void;
}

/**
 * Reports that wait in memory until they are looked at, one after the other. One that finds no room is
 * dropped, and only counted: its sender is told nothing. What fails waits at the end for another
 * attempt.
 */
export class LeakQueue {
  readonly #handler: ReportHandler;
  readonly #log: Log;
  readonly #waiting: Waiting[] = [];
  readonly #lookups: Waiting[] = [];
  readonly #bytes = new SharedBound(MAX_BYTES, SHARE);
  readonly #counts = new Counters(['reported', 'matched', 'dropped']);
  readonly #stopping = new AbortController();
  #work: Promise<void> | null = null;

  constructor(handler: ReportHandler, log: Log) {
    this.#handler = handler;
    this.#log = log;
  }

  get metrics(): Metric[] {
    const help = 'Strings that were reported as leaked, those that matched a key, those dropped.';
    return [
      countersBy('outcome', 'keyward_leak_reports_total', help, () => this.#counts.entries()),
    ];
  }

  get resourceLimit(): ResourceLimit {
    return this.#bytes.resourceLimit('leak_reports', 1);
  }

  /** Work on them begins in a later turn of the event loop. */
  add(reports: readonly LeakReport[]): void {
    for (const report of reports) {
      this.#counts.add('reported');
      const bytes = bytesOf(report);
      if (this.#stopping.signal.aborted || !this.#bytes.hasRoom(report.entrance, bytes))
        this.#counts.add('dropped');
      else {
        const release = this.#bytes.take(report.entrance, bytes);
        this.#waiting.push({ report, attempts: 0, release });
      }
    }
    if (this.#waiting.length > 0) this.#work ??= this.#workOff();
  }

  /** Until what waits is done: of a stop, strings that memory cannot tell are dropped. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#work;
  }

  async #workOff(): Promise<void> {
    const turn = turnKeeper();
    await delay(0);
    while (this.#waiting.length + this.#lookups.length > 0) {
      await turn();
      const next = this.#waiting.shift();
      if (next) await this.#begin(next);
      else await Promise.all(this.#lookups.splice(0).map((one) => this.#attempt(one)));
    }
    this.#work = null;
  }

  async #begin(next: Waiting): Promise<void> {
    const { report } = next;
    const order = this.#handler.orderOf(report, this.#stopping.signal);
    const others = this.#lookups.filter((one) => one.report.entrance === report.entrance);
    if (order === 'now') await this.#attempt(next);
    else if (order === 'later' && others.length < MAX_LOOKUPS) this.#lookups.push(next);
    else this.#drop(next);
  }

  async #attempt(waiting: Waiting): Promise<void> {
    const { signal } = this.#stopping;
    waiting.attempts++;
    try {
      const outcome = await this.#handler.handle(waiting.report);
      if (outcome === 'matched') this.#counts.add(outcome);
      waiting.release();
    } catch (err) {
      this.#log.warn({ event: 'leak.not_handled', err }, 'a report of a leak was not handled');
      if (waiting.attempts < MAX_ATTEMPTS && !signal.aborted) {
        this.#waiting.push(waiting);
        await delay(RETRY_MS, undefined, { ref: false, signal }).catch(() => {});
      } else {
        this.#drop(waiting);
      }
    }
  }

  #drop({ release }: Waiting): void {
    this.#counts.add('dropped');
    release();
  }
}

function bytesOf({ text, url, source }: LeakReport): number {
  const characters = text.length + (url?.length ?? 0) + (source?.length ?? 0);
  return REPORT_BYTES + BYTES_PER_CHARACTER * characters;
}
