import { parseArgs } from 'node:util';
import { explained } from '../scripts/explained-options.ts';
import { refOf } from '../src/domain/key-string.ts';
import { Pepper } from '../src/domain/pepper.ts';
import { bodyOf, createVerifier, forgedFrom } from './harness/calls.ts';
import { type BenchEnv, SECRET, withBenchEnv } from './harness/env.ts';
import { type Measured, measure } from './harness/measure.ts';
import type { Server } from './harness/program.ts';
import { log, publish } from './harness/results.ts';
import { median, rounded } from './harness/statistics.ts';
import { seedKeys } from './seed.ts';

/**
 * How background load affects the verification of cached keys: forged strings, uncached keys, and
 * uncached keys without a stored proof. Both sides call as fast as they can, over the same number
 * of connections. Also measures how fast uncached keys are answered without other load.
 */
const { values: options } = parseArgs({
  options: explained({
    rounds: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '64' },
    keys: { type: 'string', default: '360000' },
  }),
});
const IN_USE = 10_000;
/** The background load's strings for a round: none may be presented twice. */
const BACKGROUND_KEYS = 40_000;
const ARGON2_KEYS = 1000;

interface Case {
  name: string;
  inUse: readonly string[] | null;
  /** The strings of the background load in a round; null if there is none. */
  background: (() => readonly string[]) | null;
  /** Whether a string may be presented twice, as a forged one, which is never cached, can be. */
  mayRepeat?: boolean;
}

interface Round {
  inUse: Measured | null;
  background: Measured | null;
}

await withBenchEnv(async (env) => {
  const cases = await prepare(env);
  const server = await env.keyward();
  const authorization = await createVerifier(server);
  const rounds = new Map(cases.map((one): [Case, Round[]] => [one, []]));
  for (let count = 1; count <= Number(options.rounds); count++) {
    log(`round ${count} of ${options.rounds}`);
    for (const one of cases) rounds.get(one)?.push(await round(server, authorization, one));
  }
  await publish('contention', rowsOf(rounds));
});

async function prepare(env: BenchEnv): Promise<Case[]> {
  log(`preparing ${options.keys} keys`);
  const seed = { keys: Number(options.keys), pepper: new Pepper(SECRET), sampleEvery: 1 };
  const strings = (await seedKeys(env.databaseUrl, seed)).map(({ key }) => key);
  const inUse = strings.splice(0, IN_USE);
  const forged = strings.slice(0, BACKGROUND_KEYS).map(forgedFrom);
  const unproven = strings.splice(0, 2 * ARGON2_KEYS * Number(options.rounds));
  await env.query('delete from secret_proofs where ref = any($1)', [unproven.map(refOf)]);
  const unseen = next(strings, BACKGROUND_KEYS);
  const argon2 = next(unproven, ARGON2_KEYS);
  return [
    { name: 'cached keys', inUse, background: null },
    { name: 'beside forged strings', inUse, background: () => forged, mayRepeat: true },
    { name: 'beside uncached keys', inUse, background: unseen },
    { name: 'beside keys that need argon2', inUse, background: argon2 },
    { name: 'uncached keys, alone', inUse: null, background: unseen },
    { name: 'keys that need argon2, alone', inUse: null, background: argon2 },
  ];
}

function next(strings: string[], count: number): () => string[] {
  return () => {
    if (strings.length < count) throw new Error('too few keys for the rounds: raise --keys');
    return strings.splice(0, count);
  };
}

async function round(server: Server, authorization: string, one: Case): Promise<Round> {
  const background = one.background?.();
  const load = (strings: readonly string[] | null | undefined) =>
    strings ? measure(loadOf(server, authorization, strings)) : null;
  const [byUsers, byBackground] = await Promise.all([load(one.inUse), load(background)]);
  if (background && !one.mayRepeat && (byBackground?.requests ?? 0) > background.length) {
    throw new Error(`${one.name}: strings were presented twice; raise CROWD`);
  }
  return { inUse: byUsers, background: byBackground };
}

function loadOf({ url }: Server, authorization: string, strings: readonly string[]) {
  const { connections, seconds } = options;
  return {
    url,
    path: '/v1/verify',
    authorization,
    bodies: strings.map(bodyOf),
    connections: Number(connections),
    seconds: Number(seconds),
  };
}

function rowsOf(rounds: Map<Case, Round[]>): object[] {
  const rows = [...rounds].map(([{ name }, own]) => {
    const mid = (of: (round: Round) => number | undefined) => {
      const values = own.map(of).filter((value) => value !== undefined);
      return values.length === 0 ? null : rounded(median(values));
    };
    return {
      name,
      inUsePerSecond: mid(({ inUse }) => inUse?.requestsPerSecond),
      inUseP50Ms: mid(({ inUse }) => inUse?.p50Ms),
      inUseP99Ms: mid(({ inUse }) => inUse?.p99Ms),
      backgroundPerSecond: mid(({ background }) => background?.requestsPerSecond),
      backgroundP50Ms: mid(({ background }) => background?.p50Ms),
      backgroundRefused: mid(({ background }) => background?.refused),
    };
  });
  const alone = rows[0]?.inUseP99Ms;
  return rows.map((row) => ({
    ...row,
    p99Ratio: row.inUseP99Ms && alone ? rounded(row.inUseP99Ms / alone) : null,
  }));
}
