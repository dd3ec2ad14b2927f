import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Pepper } from '../src/domain/pepper.ts';
import { bodyOf, createVerifier, forgedFrom, send } from './harness/calls.ts';
import { chart } from './harness/chart.ts';
import { type BenchEnv, SECRET, withBenchEnv } from './harness/env.ts';
import { limitKeys } from './harness/limited-keys.ts';
import { type Measured, measure } from './harness/measure.ts';
import { printHotFunctions } from './harness/profile.ts';
import { type Server, startNoop } from './harness/program.ts';
import { log, publish, RESULTS, writeResult } from './harness/results.ts';
import { median, rounded } from './harness/statistics.ts';
import { seedKeys } from './seed.ts';

/**
 * What a verification costs: Keyward compared with a route that does nothing with the same request
 * and answer, in turns, on the same machine. Ratios are comparable between machines, absolute
 * numbers are not; the ratio of processor time per request does not even depend on other load of
 * the machine. `--profile` also shows where the time was spent.
 */
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    keys: { type: 'string', default: '100000' },
    connections: { type: 'string', default: '64' },
    /** Only the baseline and the case of this name. */
    only: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
});
const IN_USE = 10_000;
const LIMITED = 1000;
const PATH = '/v1/verify';

interface Case {
  name: string;
  setting: string;
  server: Server;
  authorization: string;
  bodies: string[];
}

interface Round extends Measured {
  cpuMicroseconds: number;
}

await withBenchEnv(async (env) => report(await takeTurns(chosen(await prepare(env)))));
if (options.profile) await printHotFunctions(join(RESULTS, 'verify.cpuprofile'));

/** The cases, the baseline first. */
async function prepare(env: BenchEnv): Promise<Case[]> {
  log(`preparing ${options.keys} keys`);
  const sample = await seedKeys(env.databaseUrl, {
    keys: Number(options.keys),
    pepper: new Pepper(SECRET),
    sampleEvery: Math.max(1, Math.floor(Number(options.keys) / (IN_USE + LIMITED) / 1.2)),
  });
  const limited = sample.slice(0, LIMITED);
  const hot = sample.slice(LIMITED, LIMITED + IN_USE).map(({ key }) => key);
  await limitKeys(
    env,
    limited.map(({ id }) => id),
  );

  const keyward = await env.keyward({}, options.profile ? profiling() : []);
  const logging = await env.keyward({ KEYWARD_LOG_VERIFY_PER_SECOND: '1000000' });
  const counting = await env.keyward({ KEYWARD_USAGE_FLUSH_MS: '0' });
  const authorization = await createVerifier(keyward);
  const bodies = hot.map(bodyOf);
  const answer = await send(keyward, PATH, authorization, bodies[0] ?? '');
  const noop = await env.stopAtEnd(startNoop(answer));

  const usual = { setting: 'defaults', server: keyward, authorization, bodies };
  const spending = limited.map(({ key }) => bodyOf(key));
  return [
    { ...usual, name: 'no-op route', setting: 'Fastify alone', server: noop },
    { ...usual, name: 'hot key' },
    {
      ...usual,
      name: 'hot, each logged',
      setting: 'LOG_VERIFY_PER_SECOND=1000000',
      server: logging,
    },
    { ...usual, name: 'counted first', setting: 'KEYWARD_USAGE_FLUSH_MS=0', server: counting },
    { ...usual, name: 'limit and credits', bodies: spending },
    { ...usual, name: 'forged key', bodies: hot.map((key) => bodyOf(forgedFrom(key))) },
  ];
}

function chosen(cases: Case[]): Case[] {
  if (options.only === undefined) return cases;
  return cases.filter(({ name }, place) => place === 0 || name === options.only);
}

function profiling(): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${RESULTS}`, '--cpu-prof-name=verify.cpuprofile'];
}

async function takeTurns(cases: Case[]): Promise<Map<Case, Round[]>> {
  for (const one of cases) await round(one, 2);
  const rounds = new Map(cases.map((one): [Case, Round[]] => [one, []]));
  for (let count = 1; count <= Number(options.rounds); count++) {
    log(`round ${count} of ${options.rounds}`);
    for (const one of cases) rounds.get(one)?.push(await round(one, Number(options.seconds)));
  }
  return rounds;
}

async function round({ server, ...one }: Case, seconds: number): Promise<Round> {
  const before = server.cpuSeconds();
  const { authorization, bodies } = one;
  const connections = Number(options.connections);
  const load = { url: server.url, path: PATH, authorization, bodies, connections, seconds };
  const measured = await measure(load);
  if (measured.refused > 0) throw new Error(`${one.name}: ${measured.refused} were refused`);
  const cpuSeconds = server.cpuSeconds() - before;
  return { ...measured, cpuMicroseconds: (cpuSeconds * 1e6) / measured.requests };
}

async function report(rounds: Map<Case, Round[]>): Promise<void> {
  const rows = [...rounds].map(([{ name, setting }, own]) => ({
    name,
    setting,
    perSecond: Math.round(median(own.map((one) => one.requestsPerSecond))),
    p50Ms: rounded(median(own.map((one) => one.p50Ms))),
    p99Ms: rounded(median(own.map((one) => one.p99Ms))),
    cpuMicroseconds: Math.round(median(own.map((one) => one.cpuMicroseconds))),
  }));
  const [noop] = rows;
  if (!noop) throw new Error('the baseline is a case');
  const compared = rows.map((row) => ({
    ...row,
    throughputRatio: rounded(row.perSecond / noop.perSecond),
    cpuRatio: rounded(noop.cpuMicroseconds / row.cpuMicroseconds),
    p99Ratio: rounded(row.p99Ms / noop.p99Ms),
  }));
  await publish('verify', compared);
  await writeResult('verify.svg', chart(compared));
  log(`written to ${RESULTS}`);
}
