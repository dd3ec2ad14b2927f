import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createVerifier } from '../../../bench/harness/calls.ts';
import { type BenchEnv, SECRET, withBenchEnv } from '../../../bench/harness/env.ts';
import type { Server } from '../../../bench/harness/program.ts';
import { fillIn, type Row, tableOf } from '../../../bench/harness/report.ts';
import { log, writeResult } from '../../../bench/harness/results.ts';
import { seedKeys } from '../../../bench/seed.ts';
import { explained } from '../../../scripts/explained-options.ts';
import { Pepper } from '../../../src/domain/pepper.ts';
import type { ClientLoad, ClientMeasured } from './load.ts';

/**
 * What coalescing saves: the same load through the client with it and without it, on the same Keyward,
 * in turn. Keyward and the client are fresh processes, as often as `--processes` says. Build first.
 */
const { values: options } = parseArgs({
  options: explained({
    processes: { type: 'string' },
    /** Of one measurement. */
    seconds: { type: 'string' },
    callers: { type: 'string', multiple: true },
    /** One process, one second: to see that it runs, not to claim anything. */
    quick: { type: 'boolean', default: false },
    'isolate-postgres': { type: 'boolean', default: false },
    /** Writes the table into README.md. */
    document: { type: 'boolean', default: false },
  }),
});
const KEYS = options.quick ? 2000 : 20_000;
const IN_USE = options.quick ? 500 : 10_000;
const PROCESSES = Number(options.processes ?? (options.quick ? 1 : 10));
const SECONDS = Number(options.seconds ?? (options.quick ? 1 : 4));
const CALLERS = (options.callers ?? (options.quick ? ['64'] : ['1', '16', '64', '256'])).map(
  Number,
);
const LOAD = fileURLToPath(new URL('load.ts', import.meta.url));
const README = fileURLToPath(new URL('../README.md', import.meta.url));
const [LOAD_BEFORE = 0] = loadavg();

interface Measurement extends ClientMeasured {
  /** Processor time of Keyward for each verification. */
  serviceCpu: number;
}

const rows: Row[] = [];
await withBenchEnv(
  async (env) => {
    const keys = await prepare(env);
    for (let number = 1; number <= PROCESSES; number++) {
      log(`process ${number} of ${PROCESSES}`);
      rows.push(...(await measureProcess(env, keys, number)));
      await writeResult('client.md', `${tableOf(rows)}\n`);
    }
    await report();
  },
  { isolatePostgres: options['isolate-postgres'] },
);

async function prepare(env: BenchEnv): Promise<string[]> {
  const sampleEvery = Math.floor(KEYS / IN_USE);
  const seed = { keys: KEYS, pepper: new Pepper(SECRET), sampleEvery };
  const sample = await seedKeys(env.databaseUrl, seed);
  await env.query('vacuum');
  await env.query('checkpoint');
  return sample.slice(0, IN_USE).map(({ key }) => key);
}

async function measureProcess(env: BenchEnv, keys: string[], number: number): Promise<Row[]> {
  const server = await env.keyward();
  const managementKey = (await createVerifier(server)).replace('Bearer ', '');
  const load = { url: server.url, managementKey, keys, seconds: SECONDS };
  const found: Row[] = [];
  for (const callers of CALLERS) {
    const order = number % 2 === 1 ? [false, true] : [true, false];
    const measured = new Map<boolean, Measurement>();
    for (const isCoalesced of order) {
      measured.set(isCoalesced, await measure(server, { ...load, callers, isCoalesced }));
    }
    found.push(...rowsOf(callers, measured));
  }
  await server.stop();
  return found;
}

async function measure(server: Server, load: ClientLoad): Promise<Measurement> {
  // Until each key was asked for and Keyward's code for this kind of call is compiled.
  for (let left = load.keys.length; left > 0; ) left -= (await sendLoad(load)).verifications;
  const before = server.cpuSeconds();
  const measured = await sendLoad(load);
  const cpuSeconds = server.cpuSeconds() - before;
  return { ...measured, serviceCpu: (cpuSeconds * 1e6) / measured.verifications };
}

async function sendLoad(load: ClientLoad): Promise<ClientMeasured> {
  const child = fork(LOAD, { execArgv: [] });
  const ended = once(child, 'exit').then(() => {
    throw new Error('the load ended without a result');
  });
  child.send(load);
  const [result]: ClientMeasured[] = await Promise.race([once(child, 'message'), ended]);
  ended.catch(() => {});
  if (!result) throw new Error('the load sent no result');
  return result;
}

function rowsOf(callers: number, measured: ReadonlyMap<boolean, Measurement>): Row[] {
  const alone = measured.get(false);
  return [...measured]
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .map(([isCoalesced, one]) => ({
      name: `${callers} callers, ${isCoalesced ? 'coalesced' : 'each alone'}`,
      figures: {
        'a second': one.perSecond,
        'in a call': one.perCall,
        'p50 ms': one.p50Ms,
        'p99 ms': one.p99Ms,
        'µs of Keyward': one.serviceCpu,
        'µs of the client': one.cpuMicroseconds,
        ...(isCoalesced &&
          alone && {
            'throughput ratio': one.perSecond / alone.perSecond,
            'Keyward ratio': alone.serviceCpu / one.serviceCpu,
          }),
      },
    }));
}

async function report(): Promise<void> {
  const [cpu] = cpus();
  const machine = `${cpus().length} × ${cpu?.model.trim()}, load ${LOAD_BEFORE.toFixed(1)} before`;
  const postgres = options['isolate-postgres'] ? ', PostgreSQL on a core of its own' : '';
  const note = `Medians, least and most of ${PROCESSES} × ${SECONDS} s on ${machine}, Node ${process.version}${postgres}; ratios are of the same processes.`;
  process.stdout.write(`\n${tableOf(rows)}\n\n${note}\n`);
  await writeResult('client.json', JSON.stringify({ note, rows }, null, 2));
  if (!options.document) return;
  const page = await readFile(README, 'utf8');
  await writeFile(README, fillIn(page, 'coalescing', `${tableOf(rows)}\n\n${note}`));
}
