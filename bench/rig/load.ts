import autocannon from 'autocannon';
import type { LoadOptions, Measured } from './measure.ts';

/** A process of its own that sends the load, so that its work is not part of what is measured. */
process.once('message', async (options: LoadOptions) => {
  process.send?.(await measure(options));
  process.disconnect();
});

async function measure({ url, authorization, bodies, connections, seconds }: LoadOptions) {
  const durations: number[] = [];
  const refused: number[] = [];
  const run = autocannon({
    url: `${url}/v1/verify`,
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    requests: bodies.map((body) => ({ body })),
    connections,
    duration: seconds,
  });
  run.on('response', (_client, status, _bytes, durationMs) => {
    durations.push(durationMs);
    if (status !== 200) refused.push(status);
  });
  const started = performance.now();
  await run;
  const elapsedSeconds = (performance.now() - started) / 1000;
  if (refused.length > 0) throw new Error(`${refused.length} answers of status ${refused[0]}`);
  durations.sort((a, b) => a - b);
  const percentile = (share: number) => durations[Math.floor(durations.length * share)] ?? 0;
  const result: Measured = {
    requests: durations.length,
    requestsPerSecond: durations.length / elapsedSeconds,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
  };
  return result;
}
