import { Keyward } from '@keyward/client';
import { Arrivals } from '../../../bench/harness/arrivals.ts';
import { cpuSecondsOf } from '../../../bench/harness/program.ts';
import { percentile } from '../../../bench/harness/statistics.ts';

/** A load through the client, in a process of its own. */
export interface ClientLoad {
  url: string;
  /** Keyward's process. */
  pid: number;
  managementKey: string;
  keys: readonly string[];
  /** `callers` that verify the next key as soon as they have a verdict, or verifications by the clock. */
  arrivals: { callers: number } | { perSecond: number };
  isCoalesced: boolean;
  /** The client's own default if it is left out. */
  maxInFlight?: number;
  warmUpSeconds: number;
  seconds: number;
}

export interface ClientMeasured {
  verifications: number;
  perSecond: number;
  /** Verifications in an HTTP call. */
  perCall: number;
  p50Ms: number;
  p99Ms: number;
  /** Processor time of Keyward and of the client for each verification. */
  serviceMicroseconds: number;
  clientMicroseconds: number;
}

process.once('message', async (load: ClientLoad) => {
  process.send?.(await run(load));
  process.disconnect();
});
// The benchmark has ended before its result.
process.once('disconnect', () => process.exit());

/** More than are ever under way. */
const UNBOUNDED = 1_000_000;
/** Timers have whole milliseconds only, and arrivals must not share one. */
const LOOK_MS = 0.1;
const SLEEPER = new Int32Array(new SharedArrayBuffer(4));

async function run(load: ClientLoad): Promise<ClientMeasured> {
  let calls = 0;
  const counted = (url: string, init: RequestInit) => {
    calls++;
    return fetch(url, init);
  };
  const together = load.maxInFlight === undefined ? {} : { maxInFlight: load.maxInFlight };
  const mode = load.isCoalesced ? together : { maxBatch: 1, maxInFlight: UNBOUNDED };
  const { url, managementKey } = load;
  const options = { url, managementKey, fetch: counted, maxQueued: UNBOUNDED, timeoutMs: 60_000 };
  const keyward = new Keyward({ ...options, ...mode });
  await send(keyward, load, load.warmUpSeconds);
  calls = 0;
  const before = cpuTimes(load);
  const began = performance.now();
  const millis = await send(keyward, load, load.seconds);
  const elapsedMs = performance.now() - began;
  const after = cpuTimes(load);
  return {
    verifications: millis.length,
    perSecond: (millis.length * 1000) / elapsedMs,
    perCall: millis.length / calls,
    p50Ms: percentile(millis, 0.5),
    p99Ms: percentile(millis, 0.99),
    serviceMicroseconds: ((after.service - before.service) * 1e6) / millis.length,
    clientMicroseconds: ((after.client - before.client) * 1e6) / millis.length,
  };
}

function cpuTimes({ pid }: ClientLoad) {
  return { service: cpuSecondsOf(pid), client: cpuSecondsOf(process.pid) };
}

/** What each verification took, sorted. */
async function send(keyward: Keyward, load: ClientLoad, seconds: number): Promise<number[]> {
  const millis: number[] = [];
  let next = 0;
  const verify = async (dueMs: number) => {
    const verdict = await keyward.verify({ key: load.keys[next++ % load.keys.length] ?? '' });
    if (!verdict.valid) throw new Error(`a key in use is ${verdict.code}`);
    millis.push(performance.now() - dueMs);
  };
  if ('callers' in load.arrivals) await sendAtOnce(verify, load.arrivals.callers, seconds);
  else await sendPaced(verify, load.arrivals.perSecond, seconds);
  return Array.from(Float64Array.from(millis).sort());
}

type Verify = (dueMs: number) => Promise<void>;

async function sendAtOnce(verify: Verify, callers: number, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000;
  const verifyRepeatedly = async () => {
    while (performance.now() < end) await verify(performance.now());
  };
  await Promise.all(Array.from({ length: callers }, verifyRepeatedly));
}

/** Each in a turn of its own, as requests of clients are, however many are late. */
async function sendPaced(verify: Verify, perSecond: number, seconds: number): Promise<void> {
  const arrivals = new Arrivals(performance.now(), perSecond, seconds);
  const asked: Promise<void>[] = [];
  while (arrivals.nextMs !== Number.POSITIVE_INFINITY) {
    const due = arrivals.take(performance.now());
    if (due !== null) asked.push(verify(due));
    else Atomics.wait(SLEEPER, 0, 0, LOOK_MS);
    await new Promise(setImmediate);
  }
  await Promise.all(asked);
}
