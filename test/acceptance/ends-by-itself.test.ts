import { join } from 'node:path';
import pg from 'pg';
import { expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/postgres.ts';
import { createKey, rootClient, verdictOf } from '../support/client.ts';
import { dataFolder } from '../support/data-folder.ts';
import { isRunning, postgresPid, runProgram, startProgram } from '../support/program.ts';
import { foldLog } from '../support/usage-log.ts';

const LONG = { timeout: 60_000 };
const FATAL = 'fatal';

const fatalLines = (stdout: string) =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
    .filter(({ level }) => level === FATAL)
    .map(({ msg }) => msg);

/** Runs a script in the program before its own first line. */
const preloading = (script: string) =>
  `--import=data:text/javascript,${encodeURIComponent(script)}`;

/** Works on the embedded database of a program that has ended, which is quicker than to start it. */
async function withDatabaseOf<T>(
  dataDirectory: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const directory = join(dataDirectory, 'postgres');
  const server = await startEmbeddedPostgres({ directory, durable: false });
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
    await server.stop();
  }
}

const countsIn = (dataDirectory: string) =>
  withDatabaseOf(dataDirectory, async (client) => {
    await foldLog(client);
    const { rows } = await client.query('select sum(total)::int as total from key_usage');
    return rows[0].total;
  });

/** A program that has counted a verification and writes its counters only when it ends. */
async function startCounting(settings: Record<string, string> = {}) {
  const directory = await dataFolder();
  const program = await startProgram({
    KEYWARD_DATA_DIR: directory,
    KEYWARD_USAGE_FLUSH_MS: '60000',
    ...settings,
  });
  const client = await rootClient(program, directory);
  const { key } = await createKey(client, 'counted');
  expect(await verdictOf(client, key)).toBe('VALID');
  return { directory, program, postgres: (await postgresPid(directory)) ?? 0 };
}

it.each(['SIGINT', 'SIGHUP'] as const)(
  'a program that gets %s writes its counters, ends its database and ends with 0',
  LONG,
  async (signal) => {
    const { directory, program, postgres } = await startCounting();
    expect(await program.end(signal), program.stdout()).toEqual({ code: 0, signal: null });
    expect(isRunning(postgres)).toBe(false);
    expect(fatalLines(program.stdout())).toEqual([]);
    expect(await countsIn(directory)).toBe(1);
  },
);

it(
  'a program that meets an unhandled error says so, writes its counters and ends with 1',
  LONG,
  async () => {
    const thrower = `process.on('SIGUSR2', () => { throw new Error(['quotes', 'secret'].join('-a-')) })`;
    const settings = { NODE_OPTIONS: preloading(thrower) };
    const { directory, program, postgres } = await startCounting(settings);
    expect(await program.end('SIGUSR2')).toEqual({ code: 1, signal: null });
    expect(fatalLines(program.stdout())).toEqual(['stopping after an unhandled error']);
    expect(program.stdout() + program.stderr()).not.toContain('quotes-a-secret');
    expect(isRunning(postgres)).toBe(false);
    expect(await countsIn(directory)).toBe(1);
  },
);

it(
  'a start that fails after its embedded database came up leaves no database behind',
  LONG,
  async () => {
    const directory = await dataFolder();
    await withDatabaseOf(directory, (client) => client.query('delete from installation'));
    const { code, stderr } = await runProgram({ KEYWARD_DATA_DIR: directory });
    expect(code).toBe(1);
    expect(stderr).toContain('the database has no installation row');
    expect(await postgresPid(directory)).toBeUndefined();
  },
);
