import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { postgresCpuSeconds } from '../harness/postgres-cpu.ts';
import { cpuSecondsOf } from '../harness/program.ts';
import { percentile } from '../harness/statistics.ts';
import type { Asking, FenceLoadOptions, MeasuredFences } from './load-process.ts';
import { SimulatedInstance } from './simulated-instance.ts';

// Runs in a process of its own, so that measuring takes no time from what is measured.

const WARM_MS = 150;

interface Usage {
  atMs: number;
  backends: number;
  postgres: number;
  load: number;
}

let instances: SimulatedInstance[] = [];
let backends: number[] = [];
let postmaster = 0;

process.on('message', (message: FenceLoadOptions | Asking) => {
  const work = 'instances' in message ? open(message) : measure(message);
  work.then((answer) => process.send?.(answer ?? {}), fail);
});
process.once('disconnect', () => process.exit());

async function open(options: FenceLoadOptions): Promise<void> {
  postmaster = options.postmaster;
  instances = Array.from(
    { length: options.instances },
    () => new SimulatedInstance(options.databaseUrl),
  );
  for (const { fence } of instances) await fence.waitUntilFresh();
  backends = await backendsOf(options.databaseUrl);
  if (backends.length !== instances.length) throw new Error('not one backend for each instance');
}

async function backendsOf(url: string): Promise<number[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ pid: number }>(
    `select pid from pg_stat_activity where application_name = 'keyward'`,
  );
  await client.end();
  return rows.map(({ pid }) => pid);
}

async function measure({ seconds, perSecond }: Asking): Promise<MeasuredFences> {
  const stop = new AbortController();
  const asked =
    perSecond === null
      ? Promise.all(instances.map((one) => askAtOnce(one, stop.signal)))
      : askByTheClock(perSecond, stop.signal);
  asked.catch(fail);
  await delay(WARM_MS);
  for (const { database } of instances) database.forget();
  const before = usage();
  await delay(seconds * 1000);
  const measured = since(before);
  stop.abort();
  await asked;
  return measured;
}

/** As an instance does whose callers never leave it without a question. */
async function askAtOnce({ fence }: SimulatedInstance, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) await fence.waitUntilFresh();
}

/** Evenly spaced on each instance, from a moment of its own on. What is late shares a fence. */
async function askByTheClock(perSecond: number, stop: AbortSignal): Promise<void> {
  const gapMs = 1000 / perSecond;
  const due = instances.map(() => performance.now() + Math.random() * gapMs);
  while (!stop.aborted) {
    const now = performance.now();
    for (const [place, { fence }] of instances.entries()) {
      const late = now - (due[place] ?? now);
      if (late < 0) continue;
      due[place] = now - (late % gapMs) + gapMs;
      fence.waitUntilFresh().catch(fail);
    }
    // The load has its own core: a timer would send what is due in a millisecond all at once.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

function usage(): Usage {
  return {
    backends: backends.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0),
    postgres: postgresCpuSeconds(postmaster),
    load: cpuSecondsOf(process.pid),
    atMs: performance.now(),
  };
}

function since(before: Usage): MeasuredFences {
  const seconds = (performance.now() - before.atMs) / 1000;
  const millis = instances.flatMap(({ database }) => database.millis).sort((a, b) => a - b);
  const full = instances.reduce((sum, { database }) => sum + database.full, 0);
  const now = usage();
  return {
    perSecond: millis.length / seconds,
    full: full / millis.length,
    p50Ms: percentile(millis, 0.5),
    p99Ms: percentile(millis, 0.99),
    backends: (now.backends - before.backends) / seconds,
    postgres: (now.postgres - before.postgres) / seconds,
    load: (now.load - before.load) / seconds,
  };
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}
