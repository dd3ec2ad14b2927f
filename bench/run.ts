import { readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { explained } from '../scripts/explained-options.ts';
import { Pepper } from '../src/domain/pepper.ts';
import { betterAuthCase } from './cases/better-auth.ts';
import { type Case, VERIFY, type World } from './cases/case.ts';
import { countersCase } from './cases/counters.ts';
import { oneConnectionCase } from './cases/one-connection.ts';
import { pacedCase } from './cases/paced.ts';
import { saturationCases } from './cases/saturation.ts';
import { bodyOf, createVerifier, send } from './harness/calls.ts';
import { type BenchEnv, SECRET, withBenchEnv } from './harness/env.ts';
import { limitKeys } from './harness/limited-keys.ts';
import { printHotFunctions } from './harness/profile.ts';
import { fillIn, type Row, tableOf } from './harness/report.ts';
import { log, RESULTS, writeResult } from './harness/results.ts';
import { seedKeys } from './seed.ts';

/**
 * What a verification costs, and its tail: Keyward beside a route that does nothing with the same
 * request and answer. Each case starts fresh processes, as often as `--processes` says; figures are
 * medians of them, with the least and the most. Ratios are of the same processes' run.
 */
const CASES: readonly Case[] = [
  ...saturationCases,
  pacedCase,
  oneConnectionCase,
  countersCase,
  betterAuthCase,
];
const { values: options } = parseArgs({
  options: explained({
    /** Only the cases of these names. */
    case: { type: 'string', multiple: true },
    processes: { type: 'string' },
    /** Of one measurement. */
    seconds: { type: 'string' },
    /** One process, one second, what that is enough for: to see that it runs, not to claim anything. */
    quick: { type: 'boolean', default: false },
    'isolate-postgres': { type: 'boolean', default: false },
    /** Writes the tables into docs/performance.md. */
    document: { type: 'boolean', default: false },
    /** One process of the hot key, and the functions in which it spent its time. */
    profile: { type: 'boolean', default: false },
  }),
});
const [KEYS, IN_USE, LIMITED] = options.quick ? [6000, 2000, 200] : [100_000, 10_000, 1000];
const ONCE = options.quick || options.profile;
const PROCESSES = Number(options.processes ?? (ONCE ? 1 : 10));
const SECONDS = Number(options.seconds ?? (options.quick ? 1 : 4));
const DOCUMENT = fileURLToPath(new URL('../docs/performance.md', import.meta.url));
const PROFILE = 'hot.cpuprofile';
/** Of the machine without the benchmark: above a tenth or two, something else is measured too. */
const [LOAD = 0] = loadavg();

const chosen = chooseCases(options.profile ? ['hot'] : options.case);
const tables = new Map<string, Row[]>(chosen.map(({ table }) => [table, []]));
await withBenchEnv(
  async (env) => {
    await measureAll(env);
    await report();
  },
  { isolatePostgres: options['isolate-postgres'] },
);
if (options.profile) await printHotFunctions(join(RESULTS, PROFILE));

function chooseCases(names: readonly string[] | undefined): readonly Case[] {
  const known = CASES.map(({ name }) => name);
  const unknown = names?.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`no case ${unknown}; known: ${known.join(', ')}`);
  return CASES.filter(({ name, needsTime = false }) =>
    names ? names.includes(name) : !(options.quick && needsTime),
  );
}

async function measureAll(env: BenchEnv): Promise<void> {
  const world = await prepare(env);
  for (let process = 1; process <= PROCESSES; process++) {
    for (const { name, table, run } of chosen) {
      progress(`process ${process} of ${PROCESSES}: ${name}`);
      tables.get(table)?.push(...(await run({ ...world, process })));
    }
    // Also for a run that is interrupted.
    await writeResult('bench.md', `${text()}\n`);
  }
}

async function prepare(env: BenchEnv): Promise<Omit<World, 'process'>> {
  progress(`making ${KEYS} keys`);
  const sampleEvery = Math.floor(KEYS / (IN_USE + LIMITED) / 1.2);
  const seed = { keys: KEYS, pepper: new Pepper(SECRET), sampleEvery };
  const sample = await seedKeys(env.databaseUrl, seed);
  const limited = sample.slice(0, LIMITED);
  await limitKeys(
    env,
    limited.map(({ id }) => id),
  );
  // Else both happen at some time, and are measured.
  await env.query('vacuum');
  await env.query('checkpoint');
  const keys = sample.slice(LIMITED, LIMITED + IN_USE).map(({ key }) => key);
  const keyward = await env.keyward();
  const authorization = await createVerifier(keyward);
  const answer = await send(keyward, VERIFY, authorization, bodyOf(keys[0] ?? ''));
  await keyward.stop();
  const limitedKeys = limited.map(({ key }) => key);
  return {
    env,
    seconds: SECONDS,
    nodeOptions: nodeOptions(),
    authorization,
    keys,
    limitedKeys,
    answer,
  };
}

function nodeOptions(): string[] {
  if (!options.profile) return [];
  return ['--cpu-prof', `--cpu-prof-dir=${RESULTS}`, `--cpu-prof-name=${PROFILE}`];
}

function text(): string {
  return [...tables].map(([name, rows]) => `${name}\n\n${tableOf(rows)}`).join('\n\n');
}

async function report(): Promise<void> {
  const [cpu] = cpus();
  const postgres = options['isolate-postgres'] ? ', PostgreSQL on a core of its own' : '';
  const machine = `${cpus().length} × ${cpu?.model.trim()}, load ${LOAD.toFixed(1)} before`;
  const note = `${PROCESSES} × ${SECONDS} s on ${machine}, Node ${process.version}${postgres}`;
  process.stdout.write(`\n${text()}\n\n${note}\n`);
  await writeResult('bench.json', JSON.stringify({ note, ...Object.fromEntries(tables) }, null, 2));
  if (!options.document) return;
  let document = await readFile(DOCUMENT, 'utf8');
  for (const [name, rows] of tables)
    document = fillIn(document, name, `${tableOf(rows)}\n\n${note}`);
  await writeFile(DOCUMENT, document);
}

function progress(what: string): void {
  log(`${(performance.now() / 1000).toFixed(0).padStart(5)} s  ${what}`);
}
