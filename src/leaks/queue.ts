import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../lib/log-events.ts';
import { Counters, countersBy, type Metric } from '../lib/metric.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { SharedBound } from '../lib/shared-bound.ts';
import { turnKeeper } from '../lib/turns.ts';
import type { LeakReport } from './report.ts';

/** What was made of a report: it is one of a key, of none, or nobody looked. */
export type Outcome = 'matched' | 'unmatched' | 'dropped';

const MAX_BYTES = 1024 * 1024;
/** For what anyone sends; the rest is GitHub's. */
const SHARE = 0.75;
const REPORT_BYTES = 256;
const BYTES_PER_CHARACTER = 2;
const RETRY_MS = 1000;
const MAX_ATTEMPTS = 30;

interface Waiting {
  report: LeakReport;
  attempts: number;
  release: () => void;
}

/**
 * Reports that wait in memory until they are looked at, one after the other. One that finds no room is
 * dropped, and only counted: whoever sent it is told nothing. What fails waits at the end for another
 * attempt.
 */
export class LeakQueue {
  readonly #handle: (report: LeakReport, stopping: AbortSignal) => Promise<Outcome>;
  readonly #log: Log;
  readonly #waiting: Waiting[] = [];
  readonly #bytes = new SharedBound(MAX_BYTES, SHARE);
  readonly #counts = new Counters(['reported', 'matched', 'dropped']);
  readonly #stopping = new AbortController();
  #work: Promise<void> | null = null;

  constructor(handle: (report: LeakReport, stopping: AbortSignal) => Promise<Outcome>, log: Log) {
    this.#handle = handle;
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
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      await turn();
      await this.#attempt(next);
    }
    this.#work = null;
  }

  async #attempt(waiting: Waiting): Promise<void> {
    const { signal } = this.#stopping;
    waiting.attempts++;
    try {
      const outcome = await this.#handle(waiting.report, signal);
      if (outcome !== 'unmatched') this.#counts.add(outcome);
      waiting.release();
    } catch (err) {
      this.#log.warn({ event: 'leak.not_handled', err }, 'a report of a leak was not handled');
      if (waiting.attempts < MAX_ATTEMPTS && !signal.aborted) {
        this.#waiting.push(waiting);
        await delay(RETRY_MS, undefined, { ref: false, signal }).catch(() => {});
      } else {
        this.#counts.add('dropped');
        waiting.release();
      }
    }
  }
}

function bytesOf({ text, url, source }: LeakReport): number {
  const characters = text.length + (url?.length ?? 0) + (source?.length ?? 0);
  return REPORT_BYTES + BYTES_PER_CHARACTER * characters;
}
