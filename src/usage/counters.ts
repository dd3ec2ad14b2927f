import type { VerdictCode } from '../domain/verdict.ts';
import { COUNTER_BYTES } from '../lib/memory-budget.ts';
import { OverloadError } from '../lib/overload-error.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';

const HOUR_MS = 3_600_000;
/** A verification has a counter for its key and one for its caller. */
const RESERVATION = 2;

/** Number of answered verifications of one secret with one verdict within one hour. */
export interface UsageCount {
  keyId: string;
  secretRef: string;
  code: VerdictCode;
  /** Start of the hour, in epoch milliseconds. */
  hour: number;
  count: number;
  /** Time of the last of them, in epoch milliseconds. */
  lastAt: number;
}

/** Number of verifications that matched no key. */
export interface UnmatchedCount {
  workspaceId: string;
  hour: number;
  count: number;
}

export interface UsageBatch {
  counts: readonly UsageCount[];
  unmatched: readonly UnmatchedCount[];
}

/**
 * Counts in memory until they are written. The number of distinct counters is bounded: when it is
 * reached, a verification is refused rather than answered uncounted.
 */
export class UsageCounters {
  readonly #capacity: number;
  readonly #counts = new Map<string, UsageCount>();
  readonly #unmatched = new Map<string, UnmatchedCount>();
  #reserved = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#counts.size + this.#unmatched.size;
  }

  get resourceLimits(): ResourceLimit[] {
    const max = this.#capacity;
    return [{ name: 'counters', max, bytesEach: COUNTER_BYTES, used: () => this.size }];
  }

  /** Room for the counters of a verification and of its caller, until it is given back. */
  reserve(): () => void {
    if (this.size + this.#reserved + RESERVATION > this.#capacity) throw full();
    this.#reserved += RESERVATION;
    let isReserved = true;
    return () => {
      if (isReserved) this.#reserved -= RESERVATION;
      isReserved = false;
    };
  }

  count(keyId: string, secretRef: string, code: VerdictCode, now: number): void {
    const hour = now - (now % HOUR_MS);
    const name = `${secretRef}${code}${hour}`;
    const counter = this.#counts.get(name);
    if (counter) {
      counter.count++;
      counter.lastAt = Math.max(counter.lastAt, now);
      return;
    }
    this.#ensureRoom();
    this.#counts.set(name, { keyId, secretRef, code, hour, count: 1, lastAt: now });
  }

  countUnmatched(workspaceId: string, now: number): void {
    const hour = now - (now % HOUR_MS);
    const name = `${workspaceId} ${hour}`;
    const counter = this.#unmatched.get(name);
    if (counter) counter.count++;
    else {
      this.#ensureRoom();
      this.#unmatched.set(name, { workspaceId, hour, count: 1 });
    }
  }

  /** Removes up to `max` counters of each kind; later counts start new ones. */
  take(max: number): UsageBatch {
    return {
      counts: takeFrom(this.#counts, max),
      unmatched: takeFrom(this.#unmatched, max),
    };
  }

  #ensureRoom(): void {
    if (this.size + this.#reserved >= this.#capacity) throw full();
  }
}

function takeFrom<T>(counters: Map<string, T>, max: number): T[] {
  const taken: T[] = [];
  for (const [name, counter] of counters) {
    if (taken.length === max) break;
    taken.push(counter);
    counters.delete(name);
  }
  return taken;
}

function full(): OverloadError {
  return new OverloadError('too many counters wait to be written');
}
