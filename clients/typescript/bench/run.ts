import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createVerifier } from '../../../bench/harness/calls.ts';
import { type BenchEnv, SECRET, withBenchEnv } from '../../../bench/harness/env.ts';
import { fillIn, type Row, tableOf } from '../../../bench/harness/report.ts';
import { log, writeResult } from '../../../bench/harness/results.ts';
import { seedKeys } from '../../../bench/seed.ts';
import { explained } from '../../../scripts/explained-options.ts';
import { Pepper } from '../../../src/domain/pepper.ts';
import type { ClientLoad, ClientMeasured } from './load.ts';

/**
 * What coalescing saves: the same load through the client with it and without it, on the same Keyward,
 * in turn. Keyward and the client are fresh processes, as often as `--processes` says.
 */
const { values: options } = parseArgs({
  options: explained({
    processes: { type: 'string' },
    /** Of one measurement. */
    seconds: { type: 'string' },
    callers: { type: 'string', multiple: true },
    /** Verifications a second, by the clock. */
    rate: { type: 'string', multiple: true },
    /** One process, one second: to see that it runs, not to claim anything. */
    quick: { type: 'boolean', default: false },
    /** Calls at once when coalesced, in place of the client's own default. */
    'in-flight': { type: 'string' },
    'isolate-postgres': { type: 'boolean', default: false },
    /** Writes the table into README.md. */
    document: { type: 'boolean', default: false },
  }),
});
const KEYS = options.quick ? 2000 : 20_000;
const IN_USE = options.quick ? 500 : 10_000;
const PROCESSES = Number(options.processes ?? (options.quick ? 1 : 10));
const SECONDS = Number(options.seconds ?? (options.quick ? 1 : 4));
const WARM_UP_SECONDS = options.quick ? 0.5 : 1;
const CALLERS = options.callers ?? (options.quick ? ['64'] : ['1', '16', '64', '256']);
const RATES = options.rate ?? (options.quick ? ['500'] : ['1000', '3000']);
const LOAD = fileURLToPath(new URL('load.ts', import.meta.url));
const README = fileURLToPath(new URL('../README.md', import.meta.url));
const [LOAD_BEFORE = 0] = loadavg();

interface Kind {
  name: string;
  arrivals: ClientLoad['arrivals'];
}

const KINDS: readonly Kind[] = [
  ...CALLERS.map(Number).map((callers) => ({
    name: callers === 1 ? '1 caller' : `${callers} callers`,
    arrivals: { callers },
  })),
  ...RATES.map(Number).map((perSecond) => ({
    name: `${perSecond.toLocaleString('en-US')} a second`,
    arrivals: { perSecond },
  })),
];

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
  const { url, pid } = server;
  const managementKey = (await createVerifier(server)).replace('Bearer ', '');
  const seconds = { warmUpSeconds: WARM_UP_SECONDS, seconds: SECONDS };
  const inFlight = options['in-flight'];
  const own = inFlight === undefined ? {} : { maxInFlight: Number(inFlight) };
  const load = { url, pid, managementKey, keys, ...seconds, ...own };
  await warmUp(load);
  const found: Row[] = [];
  for (const { name, arrivals } of KINDS) {
    const order = number % 2 === 1 ? [false, true] : [true, false];
    const measured = new Map<boolean, ClientMeasured>();
    for (const isCoalesced of order) {
      measured.set(isCoalesced, await measure({ ...load, arrivals, isCoalesced }));
    }
    found.push(...rowsOf(name, measured));
  }
  await server.stop();
  return found;
}

type World = Omit<ClientLoad, 'arrivals' | 'isCoalesced'>;

/** Until each key was asked for, and Keyward's code for both kinds of call is compiled. */
async function warmUp(load: World): Promise<void> {
  for (const isCoalesced of [false, true]) {
    for (let left = load.keys.length; left > 0; ) {
      left -= (await measure({ ...load, arrivals: { callers: 64 }, isCoalesced })).verifications;
    }
  }
}

async function measure(load: ClientLoad): Promise<ClientMeasured> {
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

function rowsOf(name: string, measured: ReadonlyMap<boolean, ClientMeasured>): Row[] {
  const [alone, coalesced] = [measured.get(false), measured.get(true)];
  if (!alone || !coalesced) throw new Error('both were measured');
  const ratios = {
    'throughput ratio': coalesced.perSecond / alone.perSecond,
    'Keyward ratio': alone.serviceMicroseconds / coalesced.serviceMicroseconds,
    'client ratio': alone.clientMicroseconds / coalesced.clientMicroseconds,
  };
  return [
    { name: `${name}, each alone`, figures: figuresOf(alone) },
    { name: `${name}, coalesced`, figures: { ...figuresOf(coalesced), ...ratios } },
  ];
}

function figuresOf(one: ClientMeasured) {
  return {
    'a second': one.perSecond,
    'in a call': one.perCall,
    'p50 ms': one.p50Ms,
    'p99 ms': one.p99Ms,
    'µs of Keyward': one.serviceMicroseconds,
    'µs of the client': one.clientMicroseconds,
  };
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
