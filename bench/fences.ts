import { readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { explained } from '../scripts/explained-options.ts';
import { Pepper } from '../src/domain/pepper.ts';
import { Changes } from './fences/changes.ts';
import { type Asking, FenceLoad, type MeasuredFences } from './fences/load-process.ts';
import { type BenchEnv, SECRET, withBenchEnv } from './harness/env.ts';
import { fillIn, type Row, tableOf } from './harness/report.ts';
import { log, writeResult } from './harness/results.ts';
import { seedKeys } from './seed.ts';

/**
 * What the fences of many instances cost one Postgres: the program's own fence, with its bound on the
 * share of the time, of 1 to 256 simulated instances, while nothing is committed and beside changes.
 * Each round starts fresh processes. Postgres has the last core to itself, the load the others.
 */
const { values: options } = parseArgs({
  options: explained({
    rounds: { type: 'string' },
    /** Of one measurement, of which a round has 42. */
    seconds: { type: 'string' },
    /** One round of 0.3 seconds: to see that it runs, not to claim anything. */
    quick: { type: 'boolean', default: false },
    /** Writes the tables into docs/scaling.md. */
    document: { type: 'boolean', default: false },
  }),
});
const ROUNDS = Number(options.rounds ?? (options.quick ? 1 : 5));
const SECONDS = Number(options.seconds ?? (options.quick ? 0.3 : 0.8));
const KEYS = 10_000;
const INSTANCES = [1, 4, 16, 64, 128, 256];
/** How often each instance asks, and how many changes are committed meanwhile, a second. */
const TABLES = [
  { name: 'fences-saturated', perSecond: null, changes: [0, 50, 500] },
  { name: 'fences-100', perSecond: 100, changes: [0, 500] },
  { name: 'fences-500', perSecond: 500, changes: [0, 500] },
] as const;
const MEANING = 'fences-verifications';
/** About half of what one instance answers at most: docs/performance.md. */
const VERIFICATIONS_OF_EACH = 10_000;
const DOCUMENT = fileURLToPath(new URL('../docs/scaling.md', import.meta.url));
/** Of the machine without the benchmark. */
const [LOAD = 0] = loadavg();

const tables = new Map<string, Row[]>(
  [...TABLES.map(({ name }) => name), MEANING].map((name) => [name, []]),
);
await withBenchEnv(
  async (env) => {
    await measureAll(env);
    await report();
  },
  { settings: { max_connections: '300' }, isolatePostgres: true },
);

async function measureAll(env: BenchEnv): Promise<void> {
  const seed = { keys: KEYS, pepper: new Pepper(SECRET), sampleEvery: 1 };
  const ids = (await seedKeys(env.databaseUrl, seed)).map(({ id }) => id);
  const changes = await Changes.open(env.databaseUrl, ids);
  for (let round = 1; round <= ROUNDS; round++) {
    // Else both happen at some time, and are measured.
    await env.query('vacuum');
    await env.query('checkpoint');
    for (const instances of INSTANCES) {
      log(`round ${round} of ${ROUNDS}: ${instances} instances`);
      await measureInstances(env, changes, instances);
    }
    // Also for a run that is interrupted.
    await writeResult('fences.md', `${text()}\n`);
  }
  await changes.close();
}

async function measureInstances(env: BenchEnv, changes: Changes, instances: number) {
  const { databaseUrl, postgresPid: postmaster } = env;
  const load = await FenceLoad.start({ databaseUrl, postmaster, instances });
  for (const { name: table, perSecond, changes: rates } of TABLES) {
    for (const rate of rates) {
      const asking = { seconds: SECONDS, perSecond };
      const measured = await changes.during(rate, () => load.measure(asking));
      const who = instances === 1 ? '1 instance' : `${instances} instances`;
      const name = `${who}, ${rate} changes`;
      const figures = figuresOf(measured.result, instances, measured.perSecond, asking);
      tables.get(table)?.push({ name, figures });
      if (perSecond !== null) continue;
      tables.get(MEANING)?.push({ name, figures: meaningOf(measured.result, instances) });
    }
  }
  await load.end();
}

/** What such fences do for instances that are asked as often as that. */
function meaningOf({ perSecond, backends, p50Ms, p99Ms }: MeasuredFences, instances: number) {
  const verifications = instances * VERIFICATIONS_OF_EACH;
  return {
    'verifications a second': verifications,
    'for each fence': verifications / perSecond,
    'µs of PostgreSQL for each': (backends * 1e6) / verifications,
    'ms added, half of them': p50Ms,
    'ms added, 99 %': p99Ms,
  };
}

function figuresOf(
  measured: MeasuredFences,
  instances: number,
  changes: number,
  asking: Asking,
): Row['figures'] {
  const { perSecond, full, p50Ms, p99Ms, backends, postgres, load } = measured;
  return {
    'changes a second': changes,
    'fences a second': perSecond,
    'of each': perSecond / instances,
    'full, %': full * 100,
    'p50 ms': p50Ms,
    'p99 ms': p99Ms,
    'their backends, % of a core': backends * 100,
    'all of PostgreSQL, % of a core': postgres * 100,
    'µs each': (backends * 1e6) / perSecond,
    // Else it looks at the clock all the time.
    ...(asking.perSecond === null && { 'load, % of a core': load * 100 }),
  };
}

function text(): string {
  return [...tables].map(([name, rows]) => `${name}\n\n${tableOf(rows)}`).join('\n\n');
}

async function report(): Promise<void> {
  const [cpu] = cpus();
  const machine = `${cpus().length} × ${cpu?.model.trim()}, load ${LOAD.toFixed(1)} before`;
  const note = `${ROUNDS} × ${SECONDS} s on ${machine}, Node ${process.version}, PostgreSQL on a core of its own`;
  process.stdout.write(`\n${text()}\n\n${note}\n`);
  await writeResult(
    'fences.json',
    JSON.stringify({ note, ...Object.fromEntries(tables) }, null, 2),
  );
  if (!options.document) return;
  let document = await readFile(DOCUMENT, 'utf8');
  for (const [name, rows] of tables)
    document = fillIn(document, name, `${tableOf(rows)}\n\n${note}`);
  await writeFile(DOCUMENT, document);
}
