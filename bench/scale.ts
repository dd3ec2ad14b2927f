import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { explained } from '../scripts/explained-options.ts';
import { startEmbeddedPostgres } from '../src/embedded-postgres/postgres.ts';
import { bodyOf, createVerifier } from './harness/calls.ts';
import { ROOT_KEY, SECRET } from './harness/env.ts';
import { measure } from './harness/measure.ts';
import { startKeyward } from './harness/program.ts';
import { log, writeResult } from './harness/results.ts';
import { median } from './harness/statistics.ts';
import { type Case, cases } from './scaling/cases.ts';
import { bytesPerKey, type Installation, install } from './scaling/installation.ts';
import { address, addressOf, choosePages, explain, indexesOf, queryOf } from './scaling/paging.ts';
import { medians } from './scaling/timing.ts';

/**
 * How lists, verifications and usage reads slow down from few keys to many: both sizes in one run,
 * in turn, through the service itself. Ratios hold on any machine; milliseconds do not.
 */
const FIRST_PAGE = 50;
/** The number of verifications of uncached keys, and of usage reads: each of another key. */
const READS = 600;
const HOT_ROUNDS = 7;
const HOT_SECONDS = 3;

interface Row {
  what: string;
  page: string;
  smallMs: number;
  largeMs: number;
  ratio: number;
  index: string;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: explained({
      small: { type: 'string', default: '10000' },
      large: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '31' },
      /** A folder to keep the seeded databases in for the next run. */
      directory: { type: 'string' },
    }),
  });
  const directory = values.directory ?? (await mkdtemp(join(tmpdir(), 'keyward-scale-')));
  const postgres = await startEmbeddedPostgres({
    directory: join(directory, 'postgres'),
    durable: false,
  });
  try {
    const small = await install(postgres.url, directory, Number(values.small));
    const large = await install(postgres.url, directory, Number(values.large));
    const { rows, plans } = await compare(small, large, Number(values.rounds));
    const seeding = `${large.keys} keys were seeded in ${large.seedSeconds.toFixed(0)} s`;
    const bytes = await bytesPerKey(large);
    await Promise.all([small.close(), large.close()]);
    rows.push(await compareHot(small, large));
    await writeResult('scale.json', JSON.stringify({ seeding, bytesPerKey: bytes, rows }, null, 2));
    await writeResult('scale-plans.txt', plans.join('\n\n'));
    const shown = [seeding, JSON.stringify(bytes, null, 2), ...rows.map(line)];
    process.stdout.write(`${shown.join('\n')}\n`);
  } finally {
    await postgres.stop();
    if (values.directory === undefined) await rm(directory, { recursive: true, force: true });
  }
}

async function compare(small: Installation, large: Installation, rounds: number) {
  const plans: string[] = [];
  const rows: Row[] = [];
  for (const one of cases(Date.now())) {
    rows.push(...(await compareLists(small, large, one, rounds, plans)));
  }
  rows.push(...(await compareReads(small, large)));
  return { rows, plans };
}

async function compareLists(
  small: Installation,
  large: Installation,
  { name, query }: Case,
  rounds: number,
  plans: string[],
): Promise<Row[]> {
  const pages = await choosePages(small, query);
  const first = (deps: Installation) =>
    deps.call('GET', address(queryOf(deps, query), pages.first));
  const [smallFar, largeFar] = [
    await addressOf(small, query, pages),
    await addressOf(large, query, pages),
  ];
  const [a, b, c, d] = await medians(rounds, [
    () => first(small),
    () => first(large),
    () => small.call('GET', smallFar),
    () => large.call('GET', largeFar),
  ]);
  const plan = await explain(large, query, FIRST_PAGE);
  plans.push(`== ${name}\n${plan}`);
  const index = indexesOf(plan);
  log(name);
  return [
    { what: name, page: `1 × ${pages.first}`, ...compared(a, b), index },
    { what: name, page: `${pages.far} × ${pages.limit}`, ...compared(c, d), index },
  ];
}

/** Verifies uncached keys, then reads their usage: each key once. */
async function compareReads(small: Installation, large: Installation): Promise<Row[]> {
  const rounds = READS;
  const verify = (deps: Installation) => (run: number) =>
    deps.call('POST', '/v1/verify', { key: deps.sample[run]?.key });
  const usage = (deps: Installation) => (run: number) =>
    deps.call('GET', `/v1/keys/${deps.sample[run]?.id}/usage`);
  const [a, b] = await medians(rounds, [verify(small), verify(large)]);
  const [c, d] = await medians(rounds, [usage(small), usage(large)]);
  const page = `${rounds} keys`;
  return [
    { what: 'verify, cold', page, ...compared(a, b), index: 'secrets_pkey, keys_pkey' },
    { what: 'usage of a key', page, ...compared(c, d), index: 'usage_recent primary key' },
  ];
}

/** Verifies cached keys over the network, in turns: milliseconds from one answer to the next. */
async function compareHot(small: Installation, large: Installation): Promise<Row> {
  const servers = [await startOn(small), await startOn(large)];
  try {
    const gaps = servers.map((): number[] => []);
    for (let round = 0; round <= HOT_ROUNDS; round++) {
      for (const [place, { server, load }] of servers.entries()) {
        const measured = await measure({ ...load, url: server.url, seconds: HOT_SECONDS });
        // The first round is a warm-up.
        if (round > 0) gaps[place]?.push(1000 / measured.requestsPerSecond);
      }
    }
    const [a, b] = gaps.map(median);
    const page = `${small.sample.length} and ${large.sample.length} keys`;
    return { what: 'verify, hot', page, ...compared(a, b), index: 'none' };
  } finally {
    for (const { server } of servers) await server.stop();
  }
}

async function startOn({ databaseUrl, sample }: Installation) {
  const server = await startKeyward({
    DATABASE_URL: databaseUrl,
    KEYWARD_ROOT_KEY: ROOT_KEY,
    KEYWARD_SECRET: SECRET,
  });
  const bodies = sample.map(({ key }) => bodyOf(key));
  const authorization = await createVerifier(server);
  return { server, load: { path: '/v1/verify', authorization, bodies, connections: 64 } };
}

function compared(smallMs = Number.NaN, largeMs = Number.NaN) {
  return { smallMs, largeMs, ratio: largeMs / smallMs };
}

function line({ what, page, smallMs, largeMs, ratio, index }: Row): string {
  return `| ${what} | ${page} | ${smallMs.toFixed(3)} | ${largeMs.toFixed(3)} | ${ratio.toFixed(2)} | ${index} |`;
}

await main();
