import type { Cutoffs } from './cutoffs.ts';
import { type Place, type RetentionJob, START, type StepResult } from './job.ts';

const HOUR_MS = 3_600_000;

/** Where a job is, and what it has done since the start of this instance. */
export class JobRun {
  readonly job: RetentionJob;
  place: Place = START;
  maxRows: number;
  /** In epoch milliseconds; null: not yet. */
  lastSuccessAt: number | null = null;
  rows = 0;
  failures = 0;
  /** When the last run was complete: the first hour that is still counted in. */
  oldestHour: number | null = null;
  #begunBefore = '';
  #doneBefore = '';
  #rowsOfRun = 0;
  #oldestOfRun: number | null = null;

  constructor(job: RetentionJob) {
    this.job = job;
    this.maxRows = job.maxRows;
  }

  /** What is complete is due again an hour later, or with the next day. */
  isDue({ before }: Cutoffs, now: number): boolean {
    if (this.#doneBefore !== before || this.lastSuccessAt === null) return true;
    return now - this.lastSuccessAt >= HOUR_MS;
  }

  begin({ before }: Cutoffs): void {
    this.#begunBefore ||= before;
  }

  /** Returns how many rows the run had, once it is complete. */
  add({ rows, next, resumeAt = START, oldestHour = null }: StepResult, now: number): number | null {
    this.rows += rows;
    this.#rowsOfRun += rows;
    if (oldestHour !== null) {
      this.#oldestOfRun = Math.min(oldestHour, this.#oldestOfRun ?? oldestHour);
    }
    this.place = next ?? resumeAt;
    // What made it smaller, such as a locked row, may be over.
    this.maxRows = Math.min(this.maxRows * 2, this.job.maxRows);
    return next === null ? this.#complete(now) : null;
  }

  /** False if there can be no smaller step. */
  shrink(): boolean {
    if (this.maxRows === 1) return false;
    this.maxRows = Math.floor(this.maxRows / 2);
    return true;
  }

  #complete(now: number): number {
    const rows = this.#rowsOfRun;
    this.lastSuccessAt = now;
    this.oldestHour = this.#oldestOfRun;
    this.#doneBefore = this.#begunBefore;
    this.#begunBefore = '';
    this.#rowsOfRun = 0;
    this.#oldestOfRun = null;
    this.maxRows = this.job.maxRows;
    return rows;
  }
}
