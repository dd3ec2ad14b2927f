import { setTimeout as delay } from 'node:timers/promises';
import { postgresCpuSeconds } from '../harness/postgres-cpu.ts';
import { walBytes } from '../harness/wal.ts';
import { type Case, measureTarget, stopAll, type World, warmUp } from './case.ts';

const BATCH = 100;
/** So that each of 10,000 keys is asked for every two seconds: one counter for each verification. */
const BATCHES_PER_SECOND = 50;
const SECONDS_EACH = 2;
/** Longer than the interval of writing counters. */
const REST_MS = 1500;
const LOOK_MS = 250;
const LONGEST_REST_MS = 60_000;

interface Cost {
  verifications: number;
  walBytes: number;
  postgresSeconds: number;
}

/**
 * What writing a counter costs Postgres, all in: from before the load until the database is at rest,
 * less what the same load costs while no counter is written. Batches, so that fences are few.
 */
export const countersCase: Case = {
  name: 'counters',
  table: 'counters',
  // What the database does besides outweighs the counters of a second.
  needsTime: true,
  run: async (world) => {
    const written = await costOf(world, '1000');
    const unwritten = await costOf(world, '60000');
    const thousands = written.verifications / 1000;
    return [
      {
        name: '1,000 counters',
        figures: {
          'KB of WAL': (written.walBytes - unwritten.walBytes) / thousands / 1000,
          'ms of Postgres':
            ((written.postgresSeconds - unwritten.postgresSeconds) * 1000) / thousands,
        },
      },
    ];
  },
};

async function costOf(world: World, flushMs: string): Promise<Cost> {
  const { env, authorization, seconds } = world;
  const server = await env.keyward({ KEYWARD_USAGE_FLUSH_MS: flushMs });
  const target = { name: 'batches', server, path: '/v1/verify/batch', authorization };
  const targets = [{ ...target, bodies: batchesOf(world.keys) }];
  await warmUp(world, targets);
  await rest(world);
  const [wal, cpu] = [await walBytes(env), postgresCpuSeconds(env.postgresPid)];
  const load = { connections: 4, perSecond: BATCHES_PER_SECOND, seconds: SECONDS_EACH * seconds };
  const [measured] = await Promise.all(targets.map((one) => measureTarget(one, load)));
  await rest(world);
  const cost = {
    verifications: (measured?.requests ?? 0) * BATCH,
    walBytes: (await walBytes(env)) - wal,
    postgresSeconds: postgresCpuSeconds(env.postgresPid) - cpu,
  };
  await stopAll(targets);
  return cost;
}

function batchesOf(keys: readonly string[]): string[] {
  return Array.from({ length: keys.length / BATCH }, (_, place) => {
    const own = keys.slice(place * BATCH, (place + 1) * BATCH);
    return JSON.stringify({ requests: own.map((key) => ({ key })) });
  });
}

/** Until nothing more is written: what is merged later is waited for, however that is done. */
async function rest({ env }: World): Promise<void> {
  const limit = performance.now() + LONGEST_REST_MS;
  let last = await walBytes(env);
  for (let since = performance.now(); performance.now() - since < REST_MS; ) {
    await delay(LOOK_MS);
    const now = await walBytes(env);
    if (now !== last) since = performance.now();
    last = now;
    if (since > limit) throw new Error('the database does not come to rest');
  }
}
