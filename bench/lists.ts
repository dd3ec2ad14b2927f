import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '../src/db/embedded/postgres.ts';
import { type Case, cases } from './listing/cases.ts';
import { bytesPerKey, type Installation, install } from './listing/installation.ts';
import { address, addressOf, choosePages, explain, indexesOf } from './listing/paging.ts';
import { medians } from './listing/timing.ts';

/**
 * How lists, verifications and usage reads slow down from few keys to many: both sizes in one run,
 * in turn, through the service itself. Ratios hold on any machine; milliseconds do not.
 */
const RESULTS = new URL('results/', import.meta.url);
const FIRST_PAGE = 50;

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
    options: {
      small: { type: 'string', default: '10000' },
      large: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '31' },
      /** Kept, with what was seeded, for the next run. */
      directory: { type: 'string' },
    },
  });
  const directory = values.directory ?? (await mkdtemp(join(tmpdir(), 'keyward-lists-')));
  const postgres = await startEmbeddedPostgres({
    directory: join(directory, 'postgres'),
    durable: false,
  });
  try {
    const small = await install(postgres.url, directory, Number(values.small));
    const large = await install(postgres.url, directory, Number(values.large));
    await report(small, large, Number(values.rounds));
    await Promise.all([small.close(), large.close()]);
  } finally {
    await postgres.stop();
    if (values.directory === undefined) await rm(directory, { recursive: true, force: true });
  }
}

async function report(small: Installation, large: Installation, rounds: number): Promise<void> {
  const plans: string[] = [];
  const rows: Row[] = [];
  for (const one of await listCases(large)) {
    rows.push(...(await compareLists(small, large, one, rounds, plans)));
  }
  rows.push(...(await compareReads(small, large)));
  const seeding = `${large.keys} keys were seeded in ${large.seedSeconds.toFixed(0)} s`;
  const summary = { seeding, bytesPerKey: await bytesPerKey(large), rows };
  await mkdir(RESULTS, { recursive: true });
  await writeFile(new URL('lists.json', RESULTS), JSON.stringify(summary, null, 2));
  await writeFile(new URL('lists-plans.txt', RESULTS), plans.join('\n\n'));
  const shown = [seeding, JSON.stringify(summary.bytesPerKey, null, 2), ...rows.map(line)];
  process.stdout.write(`${shown.join('\n')}\n`);
}

async function listCases({ client }: Installation): Promise<Case[]> {
  const { rows } = await client.query<{ start: string }>('select start from secrets limit 1');
  return cases(Date.now(), rows[0]?.start ?? '');
}

async function compareLists(
  small: Installation,
  large: Installation,
  { name, query }: Case,
  rounds: number,
  plans: string[],
): Promise<Row[]> {
  // What names one key of the large installation finds none in the small one.
  const pages = await choosePages(query.start === undefined ? small : large, query);
  const first = address(query, FIRST_PAGE);
  const [smallFar, largeFar] = [
    await addressOf(small, query, pages),
    await addressOf(large, query, pages),
  ];
  const [a, b, c, d] = await medians(rounds, [
    () => small.call('GET', first),
    () => large.call('GET', first),
    () => small.call('GET', smallFar),
    () => large.call('GET', largeFar),
  ]);
  const plan = await explain(large, query, FIRST_PAGE);
  plans.push(`== ${name}\n${plan}`);
  const index = indexesOf(plan);
  process.stderr.write(`${name}\n`);
  return [
    { what: name, page: `1 × ${FIRST_PAGE}`, ...compared(a, b), index },
    { what: name, page: `${pages.far} × ${pages.limit}`, ...compared(c, d), index },
  ];
}

/** Keys that the instance has never seen, then their usage: each key once. */
async function compareReads(small: Installation, large: Installation): Promise<Row[]> {
  const rounds = Math.min(small.sample.length, large.sample.length) - 3;
  const verify = (its: Installation) => (run: number) =>
    its.call('POST', '/v1/verify', { key: its.sample[run]?.key });
  const usage = (its: Installation) => (run: number) =>
    its.call('GET', `/v1/keys/${its.sample[run]?.id}/usage`);
  const [a, b] = await medians(rounds, [verify(small), verify(large)]);
  const [c, d] = await medians(rounds, [usage(small), usage(large)]);
  const page = `${rounds} keys`;
  return [
    { what: 'verify, cold', page, ...compared(a, b), index: 'secrets_pkey, keys_pkey' },
    { what: 'usage of a key', page, ...compared(c, d), index: 'usage_hourly primary key' },
  ];
}

function compared(smallMs = Number.NaN, largeMs = Number.NaN) {
  return { smallMs, largeMs, ratio: largeMs / smallMs };
}

function line({ what, page, smallMs, largeMs, ratio, index }: Row): string {
  return `| ${what} | ${page} | ${smallMs.toFixed(1)} | ${largeMs.toFixed(1)} | ${ratio.toFixed(2)} | ${index} |`;
}

await main();
