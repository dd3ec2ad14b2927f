import { readFileSync, rmSync } from 'node:fs';
import autocannon from 'autocannon';
import type { Load, Measured } from './load.ts';

/** Generates the load; a process of its own, so that it does not slow what it measures. */
const [, , file = ''] = process.argv;
const load: Load = JSON.parse(readFileSync(file, 'utf8'));
rmSync(file);

const result = await autocannon({
  url: `${load.url}/v1/verify`,
  connections: load.connections,
  duration: load.seconds,
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: load.authorization },
  requests: load.keys.map((key) => ({ body: JSON.stringify({ key }) })),
});
const measured: Measured = {
  requestsPerSecond: result.requests.average,
  p50Ms: result.latency.p50,
  p99Ms: result.latency.p99,
  failed: result.non2xx + result.errors,
};
process.stdout.write(JSON.stringify(measured));
