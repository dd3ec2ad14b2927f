import { type LoadOptions, type Measured, measure, medianOf } from './measure.ts';
import { printHotFunctions } from './profile.ts';
import { type KeywardServer, type Server, startBaseline, startKeyward } from './servers.ts';

/**
 * What a verification costs: Keyward against a server that does nothing with the same request and
 * answer, in turns, on the same machine. Ratios travel between machines, absolute numbers do not.
 * `--profile` also tells where the time went.
 */
const KEYS = 200;
const ROUNDS = 3;
const LOADS = [
  { connections: 64, seconds: 5 },
  { connections: 1, seconds: 3 },
];
const PROFILES = 'bench/results';

const profiling = process.argv.includes('--profile');
const keyward = await startKeyward(
  profiling
    ? ['--cpu-prof', `--cpu-prof-dir=${PROFILES}`, '--cpu-prof-name=verify.cpuprofile']
    : [],
);
const bodies = await createKeys(keyward);
const [answer] = await Promise.all(bodies.map((body) => post(keyward, '/v1/verify', body)));
const baseline = await startBaseline(answer ?? '');
await Promise.all([baseline, keyward].map((server) => run(server, { connections: 8, seconds: 2 })));
for (const load of LOADS) await compare(load);
await baseline.stop();
await keyward.stop();
if (profiling) await printHotFunctions(`${PROFILES}/verify.cpuprofile`);

type Load = Pick<LoadOptions, 'connections' | 'seconds'>;

async function compare(load: Load): Promise<void> {
  const rounds: { idle: Measured; real: Measured }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({ idle: await run(baseline, load), real: await run(keyward, load) });
  }
  const idle = medianOf(rounds.map((round) => round.idle));
  const real = medianOf(rounds.map((round) => round.real));
  print(`\n${load.connections} connections      requests/s    p50 ms    p99 ms`);
  print(row('does nothing', idle, [0, 2, 2]));
  print(row('keyward', real, [0, 2, 2]));
  print(row('ratio', ratioOf(real, idle), [2, 2, 2]));
}

function run({ url }: Server, load: Load): Promise<Measured> {
  return measure({ url, authorization: keyward.authorization, bodies, ...load });
}

function ratioOf(real: Measured, idle: Measured): Measured {
  return {
    requestsPerSecond: real.requestsPerSecond / idle.requestsPerSecond,
    p50Ms: real.p50Ms / idle.p50Ms,
    p99Ms: real.p99Ms / idle.p99Ms,
  };
}

function row(name: string, { requestsPerSecond, p50Ms, p99Ms }: Measured, digits: number[]) {
  const values = [requestsPerSecond, p50Ms, p99Ms].map((value, index) =>
    value.toFixed(digits[index]).padStart(index === 0 ? 12 : 10),
  );
  return `  ${name.padEnd(14)}${values.join('')}`;
}

/** Bodies that verify as many keys. */
async function createKeys(server: KeywardServer): Promise<string[]> {
  const bodies: string[] = [];
  for (let number = 0; number < KEYS; number++) {
    const created = await post(server, '/v1/keys', JSON.stringify({ name: `key ${number}` }));
    const { key }: { key: string } = JSON.parse(created);
    bodies.push(JSON.stringify({ key }));
  }
  return bodies;
}

async function post(server: KeywardServer, path: string, body: string): Promise<string> {
  const { authorization } = server;
  const headers = { authorization, 'content-type': 'application/json' };
  const response = await fetch(server.url + path, { method: 'POST', headers, body });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.text();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
