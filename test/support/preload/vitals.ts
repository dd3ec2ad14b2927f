import { monitorEventLoopDelay } from 'node:perf_hooks';

/**
 * Lets the process that started the program ask for its memory and for the delay of its event loop.
 * `reset` begins a new measurement; `collect` runs the garbage collector first (--expose-gc).
 */
interface Question {
  id: number;
  reset: boolean;
  collect: boolean;
}

const MIB = 1_048_576;
const NANOSECONDS = 1e6;
const SAMPLE_MS = 50;

const delays = monitorEventLoopDelay({ resolution: 5 });
delays.enable();
let peak = usage();
setInterval(() => {
  const now = usage();
  peak = {
    rssMiB: Math.max(peak.rssMiB, now.rssMiB),
    heapMiB: Math.max(peak.heapMiB, now.heapMiB),
  };
}, SAMPLE_MS).unref();

process.on('message', ({ id, reset, collect }: Question) => {
  if (collect) globalThis.gc?.();
  const loop = { p99Ms: delays.percentile(99) / NANOSECONDS, maxMs: delays.max / NANOSECONDS };
  process.send?.({ id, now: usage(), peak, loop });
  if (!reset) return;
  delays.reset();
  peak = usage();
});
// The program does not outlive the process that started it.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
// The program ends when it has nothing left to do, listened to or not.
process.channel?.unref();

function usage() {
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rssMiB: rss / MIB, heapMiB: (heapUsed + external) / MIB };
}
