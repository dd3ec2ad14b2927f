import type { CountedSecret, VerdictCode } from '../domain/verdict.ts';
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

  /** Counts a verdict and the use of its caller's key: both, or neither if there is no room. */
  count(
    keyId: string,
    secretRef: string,
    code: VerdictCode,
    now: number,
    caller: CountedSecret | null = null,
  ): void {
    const hour = now - (now % HOUR_MS);
    const name = nameOf(secretRef, code, hour);
    this.#ensureRoom(this.#counts.has(name), caller, hour);
    this.#add(name, { keyId, secretRef, code, hour, count: 1, lastAt: now });
    if (caller) this.#addUse(caller, hour, now);
  }

  countUnmatched(workspaceId: string, now: number, caller: CountedSecret | null = null): void {
    const hour = now - (now % HOUR_MS);
    const name = `${workspaceId} ${hour}`;
    const counter = this.#unmatched.get(name);
    this.#ensureRoom(counter !== undefined, caller, hour);
    if (counter) counter.count++;
    else this.#unmatched.set(name, { workspaceId, hour, count: 1 });
    if (caller) this.#addUse(caller, hour, now);
  }

  /** Removes up to `max` counters of each kind; later counts start new ones. */
  take(max: number): UsageBatch {
    return {
      counts: takeFrom(this.#counts, max),
      unmatched: takeFrom(this.#unmatched, max),
    };
  }

  #addUse({ keyId, ref: secretRef }: CountedSecret, hour: number, now: number): void {
    const name = nameOf(secretRef, 'VALID', hour);
    this.#add(name, { keyId, secretRef, code: 'VALID', hour, count: 1, lastAt: now });
  }

  #add(name: string, first: UsageCount): void {
    const counter = this.#counts.get(name);
    if (!counter) return void this.#counts.set(name, first);
    counter.count++;
    counter.lastAt = Math.max(counter.lastAt, first.lastAt);
  }

  /** Only where little room is left, it matters which of the two counters are there already. */
  #ensureRoom(isKnown: boolean, caller: CountedSecret | null, hour: number): void {
    const left = this.#capacity - this.size - this.#reserved;
    if (left >= RESERVATION) return;
    const isCallerKnown = !caller || this.#counts.has(nameOf(caller.ref, 'VALID', hour));
    const added = Number(!isKnown) + Number(!isCallerKnown);
    if (added > 0 && added > left) throw full();
  }
}

function nameOf(secretRef: string, code: VerdictCode, hour: number): string {
  return `${secretRef}${code}${hour}`;
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
