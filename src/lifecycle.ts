import type { Database } from './db/database.ts';
import type { App } from './http/app-type.ts';
import type { Kernel } from './kernel.ts';
import type { LeakQueue } from './leaks/queue.ts';
import type { PeriodicTask } from './lib/periodic-task.ts';
import { stopInOrder } from './lib/stop-phases.ts';
import type { UsageFlusher } from './usage/flusher.ts';
import type { Dispatcher } from './webhooks/sending/dispatcher.ts';

/** Between attempts to write counters that could not be written before their answers. */
const RETRY_FLUSH_MS = 1000;
/** How much of the time of a stop each phase may take; the rest is the embedded database's. */
const STOP_SHARES = { requests: 0.5, counters: 0.3, connections: 0.1 };
/** Of the time of a stop: then attempts to deliver events are ended, well within the phase of requests. */
const DELIVERY_SHARE = 0.25;

export interface Lifecycle {
  /** Starts the writes of the counters and the periodic tasks. The app does not listen yet. */
  start(): void;
  /** Finishes requests, writes the counters, closes the connections. Returns whether all succeeded. */
  stop(): Promise<boolean>;
}

interface Parts {
  app: App;
  leakQueue: LeakQueue;
  flusher: UsageFlusher;
  tasks: readonly PeriodicTask[];
  deliveries: Dispatcher;
  stopTracing: (() => Promise<void>) | undefined;
}

/** What starts once everything is built, and ends in the order in which it is needed. */
export function createLifecycle({ config, log, database }: Kernel, parts: Parts): Lifecycle {
  const { flusher, tasks } = parts;
  const phases = stopPhases(parts, database, config.shutdownSeconds * 1000);
  return {
    start: () => {
      flusher.start(config.usageFlushMs || RETRY_FLUSH_MS);
      for (const task of tasks) task.start();
    },
    stop: () => {
      for (const task of tasks) task.stop();
      return stopInOrder(phases, log);
    },
  };
}

function stopPhases(
  { app, leakQueue, flusher, deliveries, stopTracing }: Parts,
  database: Database,
  limitMs: number,
) {
  const phase = (name: keyof typeof STOP_SHARES, run: () => Promise<unknown>) => {
    return { name, deadlineMs: limitMs * STOP_SHARES[name], run };
  };
  return [
    phase('requests', () =>
      Promise.all([
        finishRequests(app, leakQueue).finally(stopTracing),
        deliveries.stop(limitMs * DELIVERY_SHARE),
      ]),
    ),
    phase('counters', () => stopCounting(app, flusher)),
    phase('connections', () => database.close()),
  ];
}

/** With the reports of leaks that were answered and not looked at yet. */
async function finishRequests(app: App, leakQueue: LeakQueue): Promise<void> {
  await app.close();
  await leakQueue.stop();
}

/** What would be answered from here on would not be counted. */
function stopCounting(app: App, flusher: UsageFlusher): Promise<void> {
  app.endConnections();
  return flusher.stop();
}
