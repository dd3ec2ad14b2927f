import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startEmbeddedPostgres } from '../src/db/embedded/postgres.ts';
import { migrate } from '../src/db/migrate.ts';
import { chart } from './rig/chart.ts';
import { type Measured, measure } from './rig/measure.ts';
import { printHotFunctions } from './rig/profile.ts';
import { type Server, startKeyward, startNoop } from './rig/program.ts';
import { seedKeys } from './seed.ts';

/**
 * What a verification costs: Keyward against a route that does nothing with the same request and
 * answer, in turns, on the same machine. Ratios travel between machines, absolute numbers do not;
 * the ratio of processor time a request does not even depend on what else the machine is doing.
 * `--profile` also tells where the time went.
 */
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    keys: { type: 'string', default: '100000' },
    connections: { type: 'string', default: '64' },
    profile: { type: 'boolean', default: false },
  },
});
const IN_USE = 10_000;
const LIMITED = 1000;
const ROOT_KEY = 'benchmark-root-key-0123456789abcdefghij';
const SECRET = 'benchmark-secret-0123456789abcdefghijklm';
const RESULTS = fileURLToPath(new URL('results/', import.meta.url));

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

mkdirSync(RESULTS, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), 'keyward-bench-'));
const postgres = await startEmbeddedPostgres({ directory: join(folder, 'pg'), durable: true });
const servers: Server[] = [];
try {
  say(`preparing ${options.keys} keys`);
  await migrate(postgres.url);
  report(await takeTurns(await prepare()));
} finally {
  for (const server of servers) await server.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true });
}
if (options.profile) await printHotFunctions(join(RESULTS, 'verify.cpuprofile'));

/** The cases: the baseline first. */
async function prepare(): Promise<Case[]> {
  const sample = await seedKeys(postgres.url, {
    keys: Number(options.keys),
    secret: SECRET,
    sampleEvery: Math.max(1, Math.floor(Number(options.keys) / (IN_USE + LIMITED) / 1.2)),
  });
  const limited = sample.slice(0, LIMITED);
  const hot = sample.slice(LIMITED, LIMITED + IN_USE).map(({ key }) => key);
  await limit(limited.map(({ id }) => id));

  const base = { DATABASE_URL: postgres.url, KEYWARD_ROOT_KEY: ROOT_KEY, KEYWARD_SECRET: SECRET };
  const profiling = [
    '--cpu-prof',
    `--cpu-prof-dir=${RESULTS}`,
    '--cpu-prof-name=verify.cpuprofile',
  ];
  const keyward = await running(startKeyward(base, options.profile ? profiling : []));
  const quiet = await running(startKeyward({ ...base, KEYWARD_LOG_VERIFY_EVERY: '0' }));
  const counting = await running(startKeyward({ ...base, KEYWARD_USAGE_FLUSH_MS: '0' }));
  const authorization = `Bearer ${await managementKey(keyward.url)}`;
  const bodies = hot.map(bodyOf);
  const noop = await running(startNoop(await post(keyward, authorization, bodies[0] ?? '')));

  const usual = { setting: 'defaults', server: keyward, authorization, bodies };
  const spending = limited.map(({ key }) => bodyOf(key));
  return [
    { ...usual, name: 'no-op route', setting: 'Fastify alone', server: noop },
    { ...usual, name: 'hot key' },
    { ...usual, name: 'hot, not logged', setting: 'KEYWARD_LOG_VERIFY_EVERY=0', server: quiet },
    { ...usual, name: 'counted first', setting: 'KEYWARD_USAGE_FLUSH_MS=0', server: counting },
    { ...usual, name: 'limit and credits', bodies: spending },
    { ...usual, name: 'forged key', bodies: hot.map((key) => bodyOf(forgedFrom(key))) },
  ];
}

/** A rate limit and credits that are never reached. */
async function limit(ids: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(
    `update keys set limit_names = '{per-minute}', limit_units = '{1000000000}',
                     limit_windows = '{60}', credits_limited = true, min_policy_version = 2
      where id = any($1)`,
    [ids],
  );
  await client.query(
    `insert into key_consumption (key_id, credits) select unnest($1::text[]), 1000000000`,
    [ids],
  );
  await client.end();
}

async function takeTurns(cases: Case[]): Promise<Map<Case, Round[]>> {
  for (const one of cases) await round(one, 2);
  const rounds = new Map(cases.map((one): [Case, Round[]] => [one, []]));
  for (let count = 1; count <= Number(options.rounds); count++) {
    say(`round ${count} of ${options.rounds}`);
    for (const one of cases) rounds.get(one)?.push(await round(one, Number(options.seconds)));
  }
  return rounds;
}

async function round({ server, authorization, bodies }: Case, seconds: number): Promise<Round> {
  const before = server.cpuSeconds();
  const connections = Number(options.connections);
  const measured = await measure({ url: server.url, authorization, bodies, connections, seconds });
  const cpuSeconds = server.cpuSeconds() - before;
  return { ...measured, cpuMicroseconds: (cpuSeconds * 1e6) / measured.requests };
}

function report(rounds: Map<Case, Round[]>): void {
  const rows = [...rounds].map(([{ name, setting }, own]) => ({
    name,
    setting,
    perSecond: Math.round(median(own.map((one) => one.requestsPerSecond))),
    p50Ms: round2(median(own.map((one) => one.p50Ms))),
    p99Ms: round2(median(own.map((one) => one.p99Ms))),
    cpuMicroseconds: Math.round(median(own.map((one) => one.cpuMicroseconds))),
  }));
  const [noop] = rows;
  if (!noop) throw new Error('the baseline is a case');
  const compared = rows.map((row) => ({
    ...row,
    throughputRatio: round2(row.perSecond / noop.perSecond),
    cpuRatio: round2(noop.cpuMicroseconds / row.cpuMicroseconds),
    p99Ratio: round2(row.p99Ms / noop.p99Ms),
  }));
  // biome-ignore lint/suspicious/noConsole: the table is what the benchmark is for
  console.table(compared);
  writeFileSync(join(RESULTS, 'verify.json'), JSON.stringify(compared, null, 2));
  writeFileSync(join(RESULTS, 'verify.svg'), chart(compared));
  say(`written to ${RESULTS}`);
}

async function running(starting: Promise<Server>): Promise<Server> {
  const server = await starting;
  servers.push(server);
  return server;
}

async function managementKey(url: string): Promise<string> {
  const body = JSON.stringify({ name: 'benchmark', permissions: ['keys:verify'] });
  const made = await send(`${url}/v1/management-keys`, `Bearer ${ROOT_KEY}`, body);
  const { key }: { key: string } = JSON.parse(made);
  return key;
}

function post({ url }: Server, authorization: string, body: string): Promise<string> {
  return send(`${url}/v1/verify`, authorization, body);
}

async function send(url: string, authorization: string, body: string): Promise<string> {
  const headers = { 'content-type': 'application/json', authorization };
  const answer = await fetch(url, { method: 'POST', headers, body });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer.text();
}

function bodyOf(key: string): string {
  return JSON.stringify({ key });
}

function forgedFrom(key: string): string {
  return key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A');
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
