import { setTimeout as delay } from 'node:timers/promises';
import { Pepper } from '../src/domain/pepper.ts';
import { bodyOf, createVerifier } from './harness/calls.ts';
import { type BenchEnv, SECRET, withBenchEnv } from './harness/env.ts';
import { type LoadOptions, measure } from './harness/measure.ts';
import { postgresCpuSeconds } from './harness/postgres-cpu.ts';
import type { Server } from './harness/program.ts';
import { log, publish } from './harness/results.ts';
import { rounded } from './harness/statistics.ts';
import { walBytes } from './harness/wal.ts';
import { seedKeys } from './seed.ts';

/**
 * What verifications cost Postgres: bytes of WAL and statements for 100,000 of them, by the number
 * of their keys; then statements and processor time under the same load with 1, 3 and 8 instances.
 * The load is paced, so that all rows have the same number of verifications.
 */
const KEYS = 20_000;
const PER_SECOND = 5000;
const SECONDS = 20;
const VERIFICATIONS = PER_SECOND * SECONDS;
const CONNECTIONS = 64;
/** Two flush intervals, after which all counters are written. */
const FLUSHED_MS = 2500;

type Load = Pick<LoadOptions, 'authorization' | 'bodies'>;

interface Statements {
  fences: number;
  others: number;
}

await withBenchEnv(
  async (env) => {
    log(`preparing ${KEYS} keys`);
    await env.query('create extension pg_stat_statements');
    const seed = { keys: KEYS, pepper: new Pepper(SECRET), sampleEvery: 1 };
    const bodies = (await seedKeys(env.databaseUrl, seed)).map(({ key }) => bodyOf(key));
    const first = await env.keyward();
    const instances = [first];
    const authorization = await createVerifier(first);
    const byKeys = [];
    for (const keys of [10, 100, 1000, 10_000]) {
      log(`${VERIFICATIONS} verifications of ${keys} keys`);
      byKeys.push({
        keys,
        ...(await cost(env, instances, { authorization, bodies: bodies.slice(0, keys) })),
      });
    }
    await publish('writes-by-keys', byKeys);
    const byInstances = [];
    for (const count of [1, 3, 8]) {
      while (instances.length < count) instances.push(await env.keyward());
      log(`${VERIFICATIONS} verifications through ${count} instances`);
      const row = await cost(env, instances, { authorization, bodies: bodies.slice(0, 1000) });
      byInstances.push({ instances: count, ...row });
    }
    await publish('writes-by-instances', byInstances);
  },
  { settings: { shared_preload_libraries: 'pg_stat_statements', max_connections: '200' } },
);

/** A first run warms caches and plans, and writes the full-page images that follow a checkpoint. */
async function cost(env: BenchEnv, instances: readonly Server[], load: Load) {
  await run(instances, load, 2);
  await env.query('select pg_stat_statements_reset()');
  const [walBefore, cpuBefore] = [await walBytes(env), postgresCpuSeconds(env.postgresPid)];
  const requests = await run(instances, load, SECONDS);
  const { fences, others } = await statements(env);
  return {
    verifications: requests,
    walKiB: Math.round(((await walBytes(env)) - walBefore) / 1024),
    fencesPerSecond: rounded(fences / SECONDS),
    otherStatements: others,
    postgresCpuPercent: rounded(
      ((postgresCpuSeconds(env.postgresPid) - cpuBefore) / SECONDS) * 100,
    ),
  };
}

async function run(instances: readonly Server[], load: Load, seconds: number) {
  const loads = instances.map(({ url }) =>
    measure({
      ...load,
      url,
      path: '/v1/verify',
      connections: Math.floor(CONNECTIONS / instances.length),
      seconds,
      perSecond: PER_SECOND / instances.length,
    }),
  );
  const measured = await Promise.all(loads);
  await delay(FLUSHED_MS);
  return measured.reduce((sum, { requests }) => sum + requests, 0);
}

async function statements(env: BenchEnv): Promise<Statements> {
  const [row] = await env.query<Record<keyof Statements, string>>(
    `select coalesce(sum(calls) filter (where query ~ 'pg_current_snapshot'), 0) as fences,
            coalesce(sum(calls) filter (where query !~ 'pg_current_snapshot|pg_stat_st'), 0)
              as others
       from pg_stat_statements`,
  );
  return { fences: Number(row?.fences), others: Number(row?.others) };
}
