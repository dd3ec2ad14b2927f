import { type ClientContext, shortUserAgent } from '../domain/client-context.ts';
import type { CountedSecret, VerdictCode } from '../domain/verdict.ts';
import { COUNTER_BYTES } from '../lib/memory-budget.ts';
import { OverloadError } from '../lib/overload-error.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { MIXED_SHARD, SHARDS, shardOf } from './shards.ts';

const HOUR_MS = 3_600_000;
/** A verification has a counter for its key and one for its caller. */
const RESERVATION = 2;
/** Small enough that writing one delays no answer noticeably. */
const BATCH_COUNTERS = 700;

/** Number of answered verifications of one secret with one verdict within one hour. */
export interface UsageCount {
  keyId: string;
  secretRef: string;
  code: VerdictCode;
  /** Start of the hour, in epoch milliseconds. */
  hour: number;
  count: number;
  /** What they cost, if they were VALID. */
  units: number;
  /** Time of the last of them, in epoch milliseconds. */
  lastAt: number;
  /** What the caller said of the client of the last one, if that was VALID. */
  ip: string | undefined;
  userAgent: string | undefined;
}

/** No client, or none that matters: that of a denial, or of a management key. */
const NO_CLIENT: ClientContext = {};

/** Number of verifications that matched no key. */
export interface UnmatchedCount {
  workspaceId: string;
  hour: number;
  count: number;
}

export interface UsageBatch {
  /** Which keys it counts; MIXED_SHARD: any. */
  shard: number;
  counts: readonly UsageCount[];
  unmatched: readonly UnmatchedCount[];
}

/**
 * Counts in memory until they are written. The number of distinct counters is bounded: when it is
 * reached, a verification is refused rather than answered uncounted.
 */
export class UsageCounters {
  readonly #capacity: number;
  /** By ref, whose counters are few: no name has to be made for each verification. */
  readonly #shards = Array.from({ length: SHARDS }, () => new Map<string, UsageCount[]>());
  readonly #unmatched = new Map<string, UnmatchedCount>();
  #size = 0;
  #taken = 0;
  #reserved = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Counters that are not known to be written. */
  get size(): number {
    return this.#size;
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
    units = 0,
    client: ClientContext = NO_CLIENT,
  ): void {
    const hour = now - (now % HOUR_MS);
    const known = this.#find(keyId, secretRef, code, hour);
    this.#ensureRoom(known !== undefined, caller, hour);
    const counter = known ?? this.#add(keyId, secretRef, code, hour);
    addTo(counter, units, now, code === 'VALID' ? client : NO_CLIENT);
    if (caller) this.#addUse(caller, hour, now);
  }

  countUnmatched(workspaceId: string, now: number, caller: CountedSecret | null = null): void {
    const hour = now - (now % HOUR_MS);
    const name = `${workspaceId} ${hour}`;
    const counter = this.#unmatched.get(name);
    this.#ensureRoom(counter !== undefined, caller, hour);
    if (counter) counter.count++;
    else {
      this.#size++;
      this.#unmatched.set(name, { workspaceId, hour, count: 1 });
    }
    if (caller) this.#addUse(caller, hour, now);
  }

  /**
   * Takes all of them, in batches; later counts start new ones. They keep their room until they are
   * released. Few are one batch; many are batches of one shard each, which the fold adds up cheaply.
   */
  take(): UsageBatch[] {
    const waiting = this.#size - this.#taken;
    this.#taken = this.#size;
    if (waiting === 0) return [];
    const unmatched = emptied(this.#unmatched);
    if (waiting <= BATCH_COUNTERS) {
      const counts = this.#shards.flatMap((shard) => emptied(shard).flat());
      return [{ shard: MIXED_SHARD, counts, unmatched }];
    }
    return [
      ...this.#shards.flatMap((counters, shard) =>
        slices(emptied(counters).flat()).map((counts) => ({ shard, counts, unmatched: [] })),
      ),
      ...slices(unmatched).map((some) => ({ shard: MIXED_SHARD, counts: [], unmatched: some })),
    ];
  }

  /** Gives the room of a batch back, once it is written. */
  release({ counts, unmatched }: UsageBatch): void {
    const written = counts.length + unmatched.length;
    this.#size -= written;
    this.#taken -= written;
  }

  #shardOf(keyId: string): Map<string, UsageCount[]> {
    const counters = this.#shards[shardOf(keyId)];
    if (!counters) throw new Error(`no shard has ${keyId}`);
    return counters;
  }

  #find(keyId: string, secretRef: string, code: VerdictCode, hour: number): UsageCount | undefined {
    const counters = this.#shardOf(keyId).get(secretRef);
    return counters?.find((counter) => counter.code === code && counter.hour === hour);
  }

  #addUse({ keyId, ref: secretRef }: CountedSecret, hour: number, now: number): void {
    const known = this.#find(keyId, secretRef, 'VALID', hour);
    addTo(known ?? this.#add(keyId, secretRef, 'VALID', hour), 0, now, NO_CLIENT);
  }

  #add(keyId: string, secretRef: string, code: VerdictCode, hour: number): UsageCount {
    this.#size++;
    const nothing = { count: 0, units: 0, lastAt: 0, ip: undefined, userAgent: undefined };
    const counter: UsageCount = { keyId, secretRef, code, hour, ...nothing };
    const counters = this.#shardOf(keyId);
    const ofSecret = counters.get(secretRef);
    if (ofSecret) ofSecret.push(counter);
    else counters.set(secretRef, [counter]);
    return counter;
  }

  /** Only where little room is left, it matters which of the two counters are there already. */
  #ensureRoom(isKnown: boolean, caller: CountedSecret | null, hour: number): void {
    const left = this.#capacity - this.size - this.#reserved;
    if (left >= RESERVATION) return;
    const isCallerKnown =
      !caller || this.#find(caller.keyId, caller.ref, 'VALID', hour) !== undefined;
    const added = Number(!isKnown) + Number(!isCallerKnown);
    if (added > 0 && added > left) throw full();
  }
}

/** Keeps what was said of the latest client, and looks at it when the counter is written. */
function addTo(counter: UsageCount, units: number, now: number, client: ClientContext): void {
  counter.count++;
  counter.units += units;
  if (now < counter.lastAt) return;
  counter.lastAt = now;
  counter.ip = client.ip;
  counter.userAgent = shortUserAgent(client.userAgent);
}

function emptied<T>(counters: Map<string, T>): T[] {
  const taken = [...counters.values()];
  counters.clear();
  return taken;
}

/** In as few equal parts as make batches. */
function slices<T>(counters: readonly T[]): T[][] {
  const parts = Math.ceil(counters.length / BATCH_COUNTERS);
  const length = Math.ceil(counters.length / parts);
  return Array.from({ length: parts }, (_, part) =>
    counters.slice(part * length, (part + 1) * length),
  );
}

function full(): OverloadError {
  return new OverloadError('counters', 'too many counters wait to be written');
}
