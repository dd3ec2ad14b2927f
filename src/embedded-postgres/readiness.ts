import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { untilStopped } from '../lib/stop.ts';
import { connectionUrl, DATABASE, type Endpoint } from './endpoint.ts';
import { EmbeddedPostgresError, errorCode, errorMessage } from './errors.ts';
import { servingPid } from './leftovers.ts';
import type { Server } from './server.ts';
import { readLogTail } from './server-log.ts';

// Long, because recovery after a crash replays everything since the last checkpoint.
const READY_DEADLINE_MS = 60_000;
const POLL_MS = 10;
const WRONG_PASSWORD = '28P01';
const DUPLICATE_DATABASE = '42P04';

interface AwaitedServer {
  server: Server;
  endpoint: Endpoint;
  directory: string;
  password: string;
  log: string;
}

/** Waits until the server answers a query, or throws the reason. Creates the database. */
export async function waitUntilReady(awaited: AwaitedServer, stop: AbortSignal): Promise<void> {
  const { server, log } = awaited;
  const deadline = performance.now() + READY_DEADLINE_MS;
  for (;;) {
    const problem = await untilStopped(stop, attempt(awaited)).catch((error: unknown) => error);
    stop.throwIfAborted();
    if (problem === undefined) return;
    if (server.hasEnded()) throw await failure('ended while starting', log);
    if (errorCode(problem) === WRONG_PASSWORD)
      throw await failure('refuses its password file', log);
    if (performance.now() > deadline) {
      const seconds = READY_DEADLINE_MS / 1000;
      throw await failure(`did not answer in ${seconds} s (${errorMessage(problem)})`, log);
    }
    await delay(POLL_MS);
  }
}

async function attempt(awaited: AwaitedServer): Promise<void> {
  const { server, endpoint, directory, password } = awaited;
  await withClient(connectionUrl(endpoint, password, 'postgres'), ensureDatabase);
  // A server left over from a start that was just killed may have been faster.
  const serving = await servingPid(directory);
  if (serving !== server.pid) throw new Error(`another server (pid ${serving}) answers`);
}

async function withClient(url: string, use: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  // A connection that is lost without a listener ends the process.
  client.on('error', () => {});
  try {
    await client.connect();
    await use(client);
  } finally {
    await client.end().catch(() => {});
  }
}

async function ensureDatabase(client: pg.Client): Promise<void> {
  const found = await client.query('select from pg_database where datname = $1', [DATABASE]);
  if (found.rowCount !== 0) return;
  await client.query(`create database ${DATABASE}`).catch((error: unknown) => {
    if (errorCode(error) !== DUPLICATE_DATABASE) throw error;
  });
}

async function failure(what: string, log: string): Promise<EmbeddedPostgresError> {
  const tail = await readLogTail(log);
  return new EmbeddedPostgresError(
    `the embedded Postgres ${what}; correct what its log ${log} reports last, or set DATABASE_URL:\n${tail}`,
  );
}
