import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from './connection.ts';
import type { LoadOptions, Measured } from './measure.ts';
import { percentile } from './statistics.ts';

/** Sends the load from a separate process, so that its work is not part of what is measured. */
process.once('message', async (options: LoadOptions) => {
  process.send?.(await run(options));
  process.disconnect();
});

interface Sample {
  ms: number;
  status: number;
  isValid: boolean;
}

async function run(options: LoadOptions): Promise<Measured> {
  const started = performance.now();
  const places = Array.from({ length: options.connections }, (_, place) => place);
  const samples = (
    await Promise.all(places.map((place) => runConnection(options, place, started)))
  ).flat();
  const elapsedSeconds = (performance.now() - started) / 1000;
  const durations = samples.map(({ ms }) => ms).sort((a, b) => a - b);
  return {
    requests: samples.length,
    requestsPerSecond: samples.length / elapsedSeconds,
    p50Ms: percentile(durations, 0.5),
    p99Ms: percentile(durations, 0.99),
    valid: samples.filter(({ isValid }) => isValid).length,
    refused: samples.filter(({ status }) => status !== 200).length,
  };
}

/** Sends every n-th body over one of n connections, one after the other. */
async function runConnection(
  options: LoadOptions,
  place: number,
  started: number,
): Promise<Sample[]> {
  const { url, path, authorization, bodies, connections, seconds } = options;
  const connection = new Connection(url);
  const requests = bodies
    .filter((_, index) => index % connections === place % bodies.length)
    .map((body) => connection.prepare(path, authorization, body));
  const begin = pacer(options, place, started);
  const samples: Sample[] = [];
  for (let sent = 0; performance.now() < started + seconds * 1000; sent++) {
    const begun = await begin();
    const request = requests[sent % requests.length];
    if (!request) throw new Error('a connection has nothing to send');
    const { status, body } = await connection.send(request);
    const ms = performance.now() - begun;
    samples.push({ ms, status, isValid: body.startsWith('{"valid":true') });
  }
  connection.close();
  return samples;
}

/**
 * When the next request began. A request that the previous answer delayed began when it was due, so
 * that a stall shows in all requests that would have been sent meanwhile.
 */
function pacer({ connections, perSecond }: LoadOptions, place: number, started: number) {
  if (perSecond === undefined) return async () => performance.now();
  const pauseMs = (connections * 1000) / perSecond;
  let next = started + (pauseMs * place) / connections;
  return async () => {
    const due = next;
    next += pauseMs;
    const wait = due - performance.now();
    if (wait <= 0) return due;
    await delay(wait);
    return performance.now();
  };
}
