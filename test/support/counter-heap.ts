import { UsageCounters } from '../../src/usage/counters.ts';
import {
  parseGatewayQuestion,
  splitGatewayHeader,
} from '../../src/verification/authorize/gateway-header.ts';

/**
 * What a counter takes of the heap, in bytes, by what was said of its last client. Run by itself
 * (`node --expose-gc`): other work in the process would be measured too.
 */

const COUNTERS = 5000;
const PADDING = 'x'.repeat(4000);

interface Client {
  ip?: string;
  userAgent?: string;
}

/** Texts of a request, each of its own, as a parser makes them. */
const said = (client: Client): Client => JSON.parse(JSON.stringify({ ...client, PADDING }));

export const CLIENTS: Record<string, (n: number) => Client> = {
  'nothing was said': () => ({}),
  'a usual address and user agent were said': (n) =>
    said({ ip: '203.0.113.7', userAgent: `python-requests/2.31.${n}` }),
  'the longest address and user agent were said': (n) =>
    said({
      ip: `2001:db8:1:2:3:4:5:6%${'z'.repeat(42)}`,
      userAgent: `${n}${'€'.repeat(256)}`.slice(0, 256),
    }),
  'a longer user agent came through a gateway': (n) => said({ userAgent: `${n}${PADDING}` }),
  'an address was part of the header of a gateway': (n) => {
    const header = `Bearer kw_${PADDING}; ip=2001:db8:1111:2222:3333:4444:${n % 10}:6; cost=1`;
    const { ip = '' } = parseGatewayQuestion(splitGatewayHeader(header));
    return { ip };
  },
};

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function bytesEach(client: (n: number) => Client): number {
  const counters = new UsageCounters(COUNTERS);
  const before = heapUsed();
  for (let n = 0; n < COUNTERS; n++) {
    const [keyId, ref]: string[] = JSON.parse(
      `["key_${String(n).padStart(22, '0')}","${String(n).padStart(16, '0')}"]`,
    );
    counters.count(keyId ?? '', ref ?? '', 'VALID', Date.now() + 0.5, null, 1, client(n));
  }
  const bytes = (heapUsed() - before) / COUNTERS;
  return counters.size === COUNTERS ? bytes : Number.NaN;
}

if (import.meta.main) {
  const measured = Object.entries(CLIENTS).map(([name, client]) => [name, bytesEach(client)]);
  process.stdout.write(JSON.stringify(Object.fromEntries(measured)));
}
