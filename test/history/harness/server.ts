import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../../src/embedded-postgres/postgres.ts';

const SETTINGS = {
  max_connections: '120',
  // So that a crash loses everything that no commit waited for, including transaction ids.
  wal_writer_delay: '10s',
  autovacuum: 'off',
};

/** A durable Postgres for one run, which can be stopped, crashed and started. */
export class Postgres {
  readonly #launch: () => Promise<EmbeddedPostgres>;
  #running: EmbeddedPostgres;
  #isShutDown = false;

  private constructor(launch: () => Promise<EmbeddedPostgres>, running: EmbeddedPostgres) {
    this.#launch = launch;
    this.#running = running;
  }

  static async start(folder: string, own: Record<string, string> = {}): Promise<Postgres> {
    const directory = join(folder, 'postgres');
    const settings = { ...SETTINGS, ...own };
    const launch = () => startEmbeddedPostgres({ directory, durable: true, settings });
    return new Postgres(launch, await launch());
  }

  /** The same after each start. */
  get url(): string {
    return this.#running.url;
  }

  async stop(): Promise<void> {
    await this.#running.stop();
  }

  /** Stops it so that no fault that is still in progress can start it again. */
  async shutDown(): Promise<void> {
    this.#isShutDown = true;
    await this.stop();
  }

  async start(): Promise<void> {
    if (this.#isShutDown) return;
    this.#running = await this.#launch();
  }

  /** Kills the server process; its child processes notice that and end. */
  async kill(): Promise<void> {
    process.kill(this.#running.pid, 'SIGKILL');
    await this.#running.exited;
    await this.#running.stop();
  }

  /** Terminates connections of the instances, as an administrator could. */
  terminateBackends(count: number): Promise<unknown> {
    return this.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'keyward' order by random() limit $1`,
      [count],
    );
  }

  /** Kills one backend, so that Postgres ends all others and recovers from the crash. */
  async killBackend(): Promise<void> {
    const [backend] = await this.query<{ pid: number }>(
      `select pid from pg_stat_activity
        where application_name = 'keyward' order by random() limit 1`,
    );
    if (!backend) return;
    const witness = await this.connect();
    const crashed = new Promise<void>((resolve) => witness.once('end', resolve));
    if (!killIfRunning(backend.pid)) return witness.end();
    await crashed;
    await this.waitUntilReady();
  }

  async waitUntilReady(): Promise<void> {
    for (;;) {
      await delay(50);
      const isReady = await this.query('select 1').then(
        () => true,
        () => false,
      );
      if (isReady) return;
    }
  }

  /** Runs a query on its own connection. */
  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    const client = await this.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: 5000 });
    client.on('error', () => {});
    await client.connect();
    return client;
  }
}

/** False if the process has ended by itself since it was found. */
function killIfRunning(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}
