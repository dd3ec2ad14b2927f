import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../../src/embedded-postgres/postgres.ts';

const SETTINGS = {
  max_connections: '120',
  // So that a crash loses what nobody waited for, transaction ids among it.
  wal_writer_delay: '10s',
  autovacuum: 'off',
};

/** A durable Postgres of the run's own, to be stopped, crashed and started at will. */
export class Postgres {
  readonly #folder: string;
  #running: EmbeddedPostgres;
  #isShutDown = false;

  private constructor(folder: string, running: EmbeddedPostgres) {
    this.#folder = folder;
    this.#running = running;
  }

  static async start(folder: string): Promise<Postgres> {
    return new Postgres(folder, await launch(folder));
  }

  /** The same after each start. */
  get url(): string {
    return this.#running.url;
  }

  async stop(): Promise<void> {
    await this.#running.stop();
  }

  /** For good: no fault that is still under way brings it back. */
  async shutDown(): Promise<void> {
    this.#isShutDown = true;
    await this.stop();
  }

  async start(): Promise<void> {
    if (this.#isShutDown) return;
    this.#running = await launch(this.#folder);
  }

  /** Its children notice and end by themselves. */
  async kill(): Promise<void> {
    process.kill(this.#running.pid, 'SIGKILL');
    await this.#running.exited;
    await this.#running.stop();
  }

  /** Ends connections of the instances as an administrator would. */
  terminateBackends(count: number): Promise<unknown> {
    return this.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'keyward' order by random() limit $1`,
      [count],
    );
  }

  /** One backend dies: Postgres ends all others and goes through crash recovery. */
  async killBackend(): Promise<void> {
    const [backend] = await this.query<{ pid: number }>(
      `select pid from pg_stat_activity
        where application_name = 'keyward' order by random() limit 1`,
    );
    if (!backend) return;
    const witness = await this.connect();
    const crashed = new Promise<void>((resolve) => witness.once('end', resolve));
    process.kill(backend.pid, 'SIGKILL');
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

  /** On a connection of its own, that does not outlive it. */
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

function launch(folder: string): Promise<EmbeddedPostgres> {
  const directory = join(folder, 'postgres');
  return startEmbeddedPostgres({ directory, durable: true, settings: SETTINGS });
}
