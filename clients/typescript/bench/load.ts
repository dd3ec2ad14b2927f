import { Keyward } from '@keyward/client';
import { percentile } from '../../../bench/harness/statistics.ts';

/** A load through the client, in a process of its own. */
export interface ClientLoad {
  url: string;
  managementKey: string;
  keys: readonly string[];
  /** Each verifies the next key as soon as it has its verdict. */
  callers: number;
  isCoalesced: boolean;
  seconds: number;
}

export interface ClientMeasured {
  verifications: number;
  perSecond: number;
  /** Verifications in an HTTP call. */
  perCall: number;
  p50Ms: number;
  p99Ms: number;
  /** Processor time of the client's process for each verification. */
  cpuMicroseconds: number;
}

process.once('message', async (load: ClientLoad) => {
  process.send?.(await run(load));
  process.disconnect();
});
// The benchmark has ended before its result.
process.once('disconnect', () => process.exit());

async function run({ isCoalesced, callers, ...load }: ClientLoad): Promise<ClientMeasured> {
  let calls = 0;
  const counted = (url: string, init: RequestInit) => {
    calls++;
    return fetch(url, init);
  };
  const alone = isCoalesced ? {} : { maxBatch: 1, maxInFlight: callers };
  const { url, managementKey } = load;
  const keyward = new Keyward({ url, managementKey, fetch: counted, ...alone });
  const millis: number[] = [];
  let next = 0;
  const began = performance.now();
  const cpu = process.cpuUsage();
  const end = began + load.seconds * 1000;
  const verifyRepeatedly = async () => {
    while (performance.now() < end) {
      const started = performance.now();
      const verdict = await keyward.verify({ key: load.keys[next++ % load.keys.length] ?? '' });
      if (!verdict.valid) throw new Error(`a key in use is ${verdict.code}`);
      millis.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: callers }, verifyRepeatedly));
  const { user, system } = process.cpuUsage(cpu);
  const sorted = Array.from(Float64Array.from(millis).sort());
  return {
    verifications: sorted.length,
    perSecond: (sorted.length * 1000) / (performance.now() - began),
    perCall: sorted.length / calls,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    cpuMicroseconds: (user + system) / sorted.length,
  };
}
