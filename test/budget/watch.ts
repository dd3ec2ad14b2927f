/**
 * Loaded into the program before it starts: tells its parent how long the event loop was held. Counts
 * the processor time of the main thread between two turns, not what other programs took meanwhile.
 */
const TICK_MS = 1;
const CALIBRATIONS = 5;

export interface Watched {
  /** The longest turn since the last message, in milliseconds. */
  heldMs: number;
  heapMiB: number;
}

let heldMs = 0;
let before = usedMs();

function usedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function tick(): void {
  const now = usedMs();
  heldMs = Math.max(heldMs, now - before);
  before = now;
  setTimeout(tick, TICK_MS).unref();
}

/** What a fixed amount of work costs here and now. */
function calibrate(): number {
  const text = JSON.stringify(
    Array.from({ length: 20_000 }, (_, i) => ({ [`name-${i % 50}`]: i })),
  );
  const costs = Array.from({ length: CALIBRATIONS }, () => {
    const start = usedMs();
    JSON.stringify(JSON.parse(text));
    return usedMs() - start;
  });
  return Math.min(...costs);
}

process.on('message', (message) => {
  const answer = message === 'calibrate' ? { calibrationMs: calibrate() } : watched();
  process.send?.(answer);
});
process.channel?.unref();
setTimeout(tick, TICK_MS).unref();

function watched(): Watched {
  const now = { heldMs, heapMiB: process.memoryUsage().heapUsed / 2 ** 20 };
  heldMs = 0;
  before = usedMs();
  return now;
}
