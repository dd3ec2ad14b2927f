import { monitorEventLoopDelay } from 'node:perf_hooks';
import { counter, gauge, type Metric } from '../lib/metric.ts';
import type { App } from './app-type.ts';

const RESOLUTION_MS = 10;
const NANOSECONDS = 1e9;
const MICROSECONDS = 1e6;

/**
 * The usual metrics of a Node.js process, by their usual names. Not by prom-client's own collection,
 * which observes each garbage collection and cannot be ended with the app.
 */
export function processMetrics(app: App): Metric[] {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  app.addHook('onClose', async () => {
    delay.disable();
  });
  return [...cpuAndMemory(), ...eventLoopLag(delay)];
}

function cpuAndMemory(): Metric[] {
  const startedAt = Math.round(performance.timeOrigin) / 1000;
  const cpu = (of: (usage: NodeJS.CpuUsage) => number) => () =>
    of(process.cpuUsage()) / MICROSECONDS;
  const total = cpu(({ user, system }) => user + system);
  const bytes = (name: keyof NodeJS.MemoryUsage) => () => process.memoryUsage()[name];
  return [
    counter('process_cpu_seconds_total', 'User and system CPU time.', total),
    counter(
      'process_cpu_user_seconds_total',
      'User CPU time.',
      cpu(({ user }) => user),
    ),
    counter(
      'process_cpu_system_seconds_total',
      'System CPU time.',
      cpu(({ system }) => system),
    ),
    gauge('process_start_time_seconds', 'Start of the process, in Unix time.', () => startedAt),
    gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss()),
    gauge('nodejs_heap_size_total_bytes', 'Size of the JavaScript heap.', bytes('heapTotal')),
    gauge('nodejs_heap_size_used_bytes', 'Used part of the JavaScript heap.', bytes('heapUsed')),
    gauge('nodejs_external_memory_bytes', 'Memory outside of the heap.', bytes('external')),
  ];
}

type Delay = ReturnType<typeof monitorEventLoopDelay>;

const LAGS: [name: string, read: (delay: Delay) => number][] = [
  ['min', ({ min }) => min],
  ['max', ({ max }) => max],
  ['mean', ({ mean }) => mean],
  ['stddev', ({ stddev }) => stddev],
  ['p50', (delay) => delay.percentile(50)],
  ['p90', (delay) => delay.percentile(90)],
  ['p99', (delay) => delay.percentile(99)],
];

/** Since they were read last: the first that is read takes them all. */
function eventLoopLag(delay: Delay): Metric[] {
  let taken = new Map<string, number>();
  const take = () => {
    taken = new Map(delay.count === 0 ? [] : LAGS.map(([name, read]) => [name, read(delay)]));
    delay.reset();
  };
  return LAGS.map(([name], index) =>
    gauge(`nodejs_eventloop_lag_${name}_seconds`, `Delay of the event loop: ${name}.`, () => {
      if (index === 0) take();
      const value = taken.get(name);
      return value === undefined ? null : value / NANOSECONDS;
    }),
  );
}
