import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Pepper } from '../src/domain/pepper.ts';
import { bodyOf, createVerifier } from './harness/calls.ts';
import { type BenchEnv, SECRET, withBenchEnv } from './harness/env.ts';
import { measure } from './harness/measure.ts';
import { startPeer } from './harness/program.ts';
import { log, publish } from './harness/results.ts';
import { median, rounded } from './harness/statistics.ts';
import { seedKeys } from './seed.ts';

/**
 * Keyward beside better-auth's API key plugin: verifications a second on the same machine and the
 * same Postgres, in turns, 1000 keys each. The plugin is installed into its own folder first.
 */
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '1,32' },
  },
});
const KEYS = 1000;
const BETTER_AUTH = fileURLToPath(new URL('peers/better-auth/', import.meta.url));

interface Contender {
  name: string;
  url: string;
  authorization: string;
  bodies: readonly string[];
}

await withBenchEnv(async (env) => {
  install(BETTER_AUTH);
  const contenders = [await keyward(env), await betterAuth(env)];
  const rows = [];
  for (const connections of options.connections.split(',').map(Number)) {
    const results = await takeTurns(contenders, connections);
    const [own = Number.NaN, peer = Number.NaN] = results.map(({ perSecond }) => perSecond);
    rows.push(...results.map((row) => ({ ...row, ratio: rounded(own / peer) })));
  }
  await publish('peers', rows);
});

function install(folder: string): void {
  if (existsSync(`${folder}node_modules`)) return;
  log('installing better-auth');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`npm ci failed in ${folder}`);
}

async function keyward(env: BenchEnv): Promise<Contender> {
  const seed = { keys: KEYS * 2, pepper: new Pepper(SECRET), sampleEvery: 1 };
  const sample = (await seedKeys(env.databaseUrl, seed)).slice(0, KEYS);
  const server = await env.keyward();
  const bodies = sample.map(({ key }) => bodyOf(key));
  return { name: 'Keyward', url: server.url, authorization: await createVerifier(server), bodies };
}

async function betterAuth(env: BenchEnv): Promise<Contender> {
  await env.query('create database better_auth');
  const url = new URL(env.databaseUrl);
  url.pathname = '/better_auth';
  const server = await env.stopAtEnd(
    startPeer(`${BETTER_AUTH}server.mjs`, { DATABASE_URL: url.href }),
  );
  const keys: string[] = JSON.parse(await (await fetch(`${server.url}/keys`)).text());
  return { name: 'better-auth', url: server.url, authorization: 'none', bodies: keys.map(bodyOf) };
}

async function takeTurns(contenders: readonly Contender[], connections: number) {
  const seconds = Number(options.seconds);
  const rounds = contenders.map((): { perSecond: number; p50Ms: number; p99Ms: number }[] => []);
  for (let round = 0; round <= Number(options.rounds); round++) {
    log(`${connections} connections, round ${round} of ${options.rounds}`);
    for (const [place, { name, ...target }] of contenders.entries()) {
      const load = { ...target, path: '/v1/verify', connections, seconds };
      const { valid, requests, requestsPerSecond, p50Ms, p99Ms } = await measure(load);
      if (valid < requests) throw new Error(`${name}: ${requests - valid} were not valid`);
      // The first round is a warm-up.
      if (round > 0) rounds[place]?.push({ perSecond: requestsPerSecond, p50Ms, p99Ms });
    }
  }
  return contenders.map(({ name }, place) => ({
    name,
    connections,
    perSecond: Math.round(median(rounds[place]?.map((own) => own.perSecond) ?? [])),
    p50Ms: rounded(median(rounds[place]?.map((own) => own.p50Ms) ?? [])),
    p99Ms: rounded(median(rounds[place]?.map((own) => own.p99Ms) ?? [])),
  }));
}
