import { parseArgs } from 'node:util';
import pg from 'pg';
import { explained } from '../scripts/explained-options.ts';
import { Pepper } from '../src/domain/pepper.ts';
import { foldLog } from '../test/support/usage-log.ts';
import { bodyOf, createVerifier, forgedFrom } from './harness/calls.ts';
import { type BenchEnv, SECRET, withBenchEnv } from './harness/env.ts';
import { limitKeys } from './harness/limited-keys.ts';
import { measure } from './harness/measure.ts';
import type { Server } from './harness/program.ts';
import { log, publish } from './harness/results.ts';
import { rounded } from './harness/statistics.ts';
import { seedKeys } from './seed.ts';

/**
 * A steady load at 80 % of the capacity of the machine: keys in use, a tenth of them with a
 * limit and credits, a tenth forged. Prints memory and latency every half minute; at the end the
 * counters in the database must equal the answers exactly.
 */
const { values: options } = parseArgs({
  options: explained({
    minutes: { type: 'string', default: '10' },
    share: { type: 'string', default: '0.8' },
    connections: { type: 'string', default: '64' },
  }),
});
const KEYS = 100_000;
const IN_USE = 10_000;
const WINDOW_SECONDS = 30;
const CAPACITY_SECONDS = 8;

interface Sent {
  valid: number;
  forged: number;
}

await withBenchEnv(async (env) => {
  const bodies = await prepare(env);
  const before = await readCounted(env);
  const server = await env.keyward();
  const authorization = await createVerifier(server);
  const sent: Sent = { valid: 0, forged: 0 };
  const load = async (seconds: number, perSecond?: number) => {
    const pace = perSecond === undefined ? {} : { perSecond };
    const target = { url: server.url, path: '/v1/verify', authorization, bodies };
    const connections = Number(options.connections);
    const measured = await measure({ ...target, connections, seconds, ...pace });
    if (measured.refused > 0) throw new Error(`${measured.refused} requests were refused`);
    sent.valid += measured.valid;
    sent.forged += measured.requests - measured.valid;
    return measured;
  };
  await load(CAPACITY_SECONDS);
  const capacity = (await load(CAPACITY_SECONDS)).requestsPerSecond;
  const perSecond = Math.round(capacity * Number(options.share));
  log(`${Math.round(capacity)} a second at most; going on with ${perSecond}`);
  const rows = [];
  const windows = Math.ceil((Number(options.minutes) * 60) / WINDOW_SECONDS);
  for (let window = 1; window <= windows; window++) {
    const measured = await load(WINDOW_SECONDS, perSecond);
    const row = rowOf(window, server, measured);
    log(JSON.stringify(row));
    rows.push(row);
  }
  await server.stop();
  await publish('soak', rows);
  compare(sent, before, await readCounted(env));
});

async function prepare(env: BenchEnv): Promise<string[]> {
  log(`preparing ${KEYS} keys`);
  const seed = { keys: KEYS, pepper: new Pepper(SECRET), sampleEvery: 5 };
  const sample = (await seedKeys(env.databaseUrl, seed)).slice(0, IN_USE);
  const limited = sample.filter((_, place) => place % 10 === 0);
  await limitKeys(
    env,
    limited.map(({ id }) => id),
  );
  return sample.map(({ key }, place) => bodyOf(place % 10 === 1 ? forgedFrom(key) : key));
}

function rowOf(window: number, server: Server, measured: Awaited<ReturnType<typeof measure>>) {
  return {
    minute: (window * WINDOW_SECONDS) / 60,
    perSecond: Math.round(measured.requestsPerSecond),
    p50Ms: rounded(measured.p50Ms),
    p99Ms: rounded(measured.p99Ms),
    p999Ms: rounded(measured.p999Ms),
    residentMiB: Math.round(server.memory() / 1_048_576),
  };
}

/**
 * Counts of customer keys only: the management key of the caller is counted too. The days and months have
 * what retention has moved meanwhile, and the log what a stop leaves for the next instance.
 */
async function readCounted({ databaseUrl, query }: BenchEnv): Promise<Sent> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await foldLog(client).finally(() => client.end());
  const [row] = await query<{ valid: string; forged: string }>(
    `select (select coalesce(sum(count), 0)
               from (select key_id, count from usage_recent union all
                     select key_id, count from usage_days union all
                     select key_id, count from usage_months) as of_any_age
              where key_id like 'key%') as valid,
            (select coalesce(sum(count), 0) from usage_unmatched) as forged`,
  );
  return { valid: Number(row?.valid), forged: Number(row?.forged) };
}

/** `before` is what the seeded keys had. */
function compare(sent: Sent, before: Sent, after: Sent): void {
  const counted = { valid: after.valid - before.valid, forged: after.forged - before.forged };
  log(`answered ${JSON.stringify(sent)}, counted ${JSON.stringify(counted)}`);
  if (counted.valid === sent.valid && counted.forged === sent.forged) return;
  throw new Error('what was counted is not what was answered');
}
