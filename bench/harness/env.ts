import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { migrate } from '../../src/db/migrate.ts';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/postgres.ts';
import { type Server, startKeyward } from './program.ts';

export const ROOT_KEY = 'benchmark-root-key-0123456789abcdefghij';
export const SECRET = 'benchmark-secret-0123456789abcdefghijklm';

/** A migrated, durable Postgres for one benchmark, and the servers that run beside it. */
export interface BenchEnv {
  databaseUrl: string;
  postgresPid: number;
  query: <Row extends pg.QueryResultRow>(text: string, values?: unknown[]) => Promise<Row[]>;
  /** Starts the real program on this Postgres. */
  keyward: (settings?: Record<string, string>, nodeOptions?: string[]) => Promise<Server>;
  /** Stops this server when the benchmark ends. */
  stopAtEnd: (starting: Promise<Server>) => Promise<Server>;
}

/** Creates the environment, runs the benchmark in it, and removes everything even if that fails. */
export async function withBenchEnv(
  run: (env: BenchEnv) => Promise<void>,
  settings: Record<string, string> = {},
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-bench-'));
  const directory = join(folder, 'postgres');
  const postgres = await startEmbeddedPostgres({ directory, durable: true, settings });
  const client = new pg.Client({ connectionString: postgres.url });
  const servers: Server[] = [];
  const stopAtEnd = async (starting: Promise<Server>) => {
    const server = await starting;
    servers.push(server);
    return server;
  };
  const base = {
    DATABASE_URL: postgres.url,
    KEYWARD_ROOT_KEY: ROOT_KEY,
    KEYWARD_SECRET: SECRET,
  };
  try {
    await migrate(postgres.url);
    await client.connect();
    await run({
      databaseUrl: postgres.url,
      postgresPid: postgres.pid,
      query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
        (await client.query<Row>(text, values)).rows,
      keyward: (own = {}, nodeOptions = []) =>
        stopAtEnd(startKeyward({ ...base, ...own }, nodeOptions)),
      stopAtEnd,
    });
  } finally {
    for (const server of servers) await server.stop();
    await client.end();
    await postgres.stop();
    await rm(folder, { recursive: true });
  }
}
