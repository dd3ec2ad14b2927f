import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import pg from 'pg';
import { migrate } from '../../src/db/migrate.ts';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/postgres.ts';
import { listenForStop, StopRequest, untilStopped } from '../../src/lib/stop.ts';
import { type Server, startKeyward, stopServers } from './program.ts';

export const ROOT_KEY = 'benchmark-root-key-0123456789abcdefghij';
export const SECRET = 'benchmark-secret-0123456789abcdefghijklm';
const SIGNALLED = 128;

/** A migrated, durable Postgres for one benchmark, and the servers that run beside it. */
export interface BenchEnv {
  databaseUrl: string;
  postgresPid: number;
  query: <Row extends pg.QueryResultRow>(text: string, values?: unknown[]) => Promise<Row[]>;
  /** Starts the real program on this Postgres. */
  keyward: (settings?: Record<string, string>, nodeOptions?: string[]) => Promise<Server>;
}

export interface BenchEnvOptions {
  /** Further settings of Postgres. */
  settings?: Record<string, string>;
  /** Postgres has the last core to itself, and everything else the others. */
  isolatePostgres?: boolean;
}

type Run = (env: BenchEnv) => Promise<void>;

/** Creates the environment, runs the benchmark in it, and removes everything, also after a signal. */
export async function withBenchEnv(run: Run, options: BenchEnvOptions = {}): Promise<void> {
  const stop = listenForStop(/^(bench|npx)/.test(process.env.npm_lifecycle_event ?? ''));
  const folder = await mkdtemp(join(tmpdir(), 'keyward-bench-'));
  try {
    await runIn(folder, run, options, stop);
  } catch (error) {
    if (stop.reason instanceof StopRequest) {
      process.exitCode = SIGNALLED + constants.signals[stop.reason.signal];
    } else {
      // Thrown on, it would be taken for a reason to stop, and told to nobody.
      process.stderr.write(`${inspect(error)}\n`);
      process.exitCode = 1;
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  // What a signal interrupted may still wait for something.
  if (stop.aborted) process.exit();
}

async function runIn(
  folder: string,
  run: Run,
  { settings = {}, isolatePostgres = false }: BenchEnvOptions,
  stop: AbortSignal,
): Promise<void> {
  const last = availableParallelism() - 1;
  if (isolatePostgres) pinTo(`${last}`);
  const directory = join(folder, 'postgres');
  const postgres = await startEmbeddedPostgres({ directory, durable: true, settings, stop });
  const client = new pg.Client({ connectionString: postgres.url });
  const base = { DATABASE_URL: postgres.url, KEYWARD_ROOT_KEY: ROOT_KEY, KEYWARD_SECRET: SECRET };
  try {
    if (isolatePostgres) pinTo(`0-${last - 1}`);
    await migrate(postgres.url);
    await client.connect();
    const env: BenchEnv = {
      databaseUrl: postgres.url,
      postgresPid: postgres.pid,
      query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
        (await client.query<Row>(text, values)).rows,
      keyward: (own = {}, nodeOptions = []) => startKeyward({ ...base, ...own }, nodeOptions),
    };
    await untilStopped(stop, run(env));
  } finally {
    await stopServers();
    await client.end();
    await postgres.stop();
  }
}

/** This process, and what it starts from now on. */
function pinTo(cores: string): void {
  const { status } = spawnSync('taskset', ['-acp', cores, String(process.pid)]);
  if (status !== 0) throw new Error('a core for Postgres needs taskset, and two cores at least');
}
