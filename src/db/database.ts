import type { ExtractTablesWithRelations } from 'drizzle-orm';
import { drizzle, type NodePgDatabase, type NodePgQueryResultHKT } from 'drizzle-orm/node-postgres';
import type { PgTransaction } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { gaugesBy, type Metric } from '../lib/metric.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { isUnavailable } from './errors.ts';
import * as schema from './schema.ts';
import { registerTextArrays } from './text-array.ts';
import { queryText, type TextRow } from './text-query.ts';

registerTextArrays();

type Schema = typeof schema;
export type Orm = NodePgDatabase<Schema>;
export type Transaction = PgTransaction<
  NodePgQueryResultHKT,
  Schema,
  ExtractTablesWithRelations<Schema>
>;

/** Its buffer and the statements that it has prepared; what it reads is counted where it is used. */
const CONNECTION_BYTES = 128 * 1024;
const CONNECT_TIMEOUT_MS = 2000;
const DATA_QUERY_TIMEOUT_MS = 2000;
const CONTROL_QUERY_TIMEOUT_MS = 15_000;
/** Fence 1, loads 2, fold 1, the rest for proofs, quotas and flushes. */
const DATA_POOL_SIZE = 7;

export interface DatabaseOptions {
  url: string;
  poolSize: number;
  preparedStatements: boolean;
}

/** A statement of the verification path. Its name lets each connection plan it only once. */
export interface Statement {
  name: string;
  text: string;
  /** How its columns are parsed, if not as usual. */
  types?: pg.CustomTypesConfig;
}

/** A statement without values that is sent so often that what pg does beside it counts. */
export interface TextStatement<Row> extends Statement {
  /** Reads a row from the text of its columns. */
  read: (columns: TextRow) => Row;
}

/**
 * Two pools on one database, for management calls and for the verification path, so that the latter
 * never waits for the former. The loss of any connection is reported: Postgres may have crashed.
 */
export class Database {
  readonly orm: Orm;
  readonly dataOrm: Orm;
  readonly #pools: readonly [pg.Pool, pg.Pool];
  readonly #named: boolean;
  readonly #lossListeners: (() => void)[] = [];

  constructor(options: DatabaseOptions) {
    const control = this.#pool(options.url, options.poolSize, CONTROL_QUERY_TIMEOUT_MS);
    const data = this.#pool(options.url, DATA_POOL_SIZE, DATA_QUERY_TIMEOUT_MS);
    this.#pools = [control, data];
    this.#named = options.preparedStatements;
    this.orm = ormOn(control);
    this.dataOrm = ormOn(data);
  }

  onConnectionLoss(listener: () => void): void {
    this.#lossListeners.push(listener);
  }

  /** Connections in use. */
  get resourceLimits(): ResourceLimit[] {
    const [control, data] = this.#pools;
    const limitOf = (name: string, pool: pg.Pool) => ({
      name,
      max: pool.options.max,
      bytesEach: CONNECTION_BYTES,
      used: () => pool.totalCount - pool.idleCount,
    });
    return [limitOf('management_connections', control), limitOf('verification_connections', data)];
  }

  get metrics(): Metric[] {
    const pools = [
      ['management', this.#pools[0]],
      ['verification', this.#pools[1]],
    ] as const;
    const samples = () =>
      pools.flatMap(([pool, { totalCount, idleCount }]) => [
        { labels: { pool, state: 'used' }, value: totalCount - idleCount },
        { labels: { pool, state: 'idle' }, value: idleCount },
      ]);
    const help = 'Connections to the database, for management calls and for verification.';
    return [
      { name: 'keyward_database_connections', type: 'gauge', help, samples },
      gaugesBy(
        'pool',
        'keyward_database_waiting',
        'What waits for a connection to the database.',
        () => pools.map(([pool, { waitingCount }]) => [pool, waitingCount]),
      ),
    ];
  }

  /** Runs one statement of the verification path. */
  async query<Row extends pg.QueryResultRow>(
    statement: Statement | TextStatement<Row>,
    values: unknown[],
  ): Promise<Row[]> {
    const { text } = statement;
    const name = this.#named ? statement.name : undefined;
    return onConnection(this.#pools[1], async (client) => {
      if ('read' in statement) return (await queryText(client, text, name)).map(statement.read);
      const { types } = statement;
      return (
        await client.query<Row>({ text, values, ...(name && { name }), ...(types && { types }) })
      ).rows;
    });
  }

  async close(): Promise<void> {
    this.#lossListeners.length = 0;
    await Promise.all(this.#pools.map((pool) => pool.end()));
  }

  /** Connections are not closed for being idle or old, so each removal is a loss. */
  #pool(url: string, max: number, queryTimeout: number): pg.Pool {
    const pool = new pg.Pool({
      connectionString: url,
      max,
      idleTimeoutMillis: 0,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: queryTimeout,
      keepAlive: true,
      application_name: 'keyward',
    });
    const lost = () => {
      for (const listener of this.#lossListeners) listener();
    };
    // Also on a client in use: an error without a listener ends the process.
    pool.on('connect', (client) => client.on('error', lost));
    pool.on('error', lost);
    pool.on('remove', lost);
    return pool;
  }
}

/**
 * Drizzle's own `transaction` leaks a connection whose BEGIN failed, and returns one whose ROLLBACK
 * failed to the pool. This one closes a connection on which the database no longer answers.
 */
function ormOn(pool: pg.Pool): Orm {
  const orm = drizzle(keepingConnections(pool), { schema });
  orm.transaction = (work, config) =>
    onConnection(pool, (client) => drizzle(client, { schema }).transaction(work, config));
  return orm;
}

/** The pool's own `query` closes its connection after every error, even a refused statement. */
function keepingConnections(pool: pg.Pool): pg.Pool {
  const query = (config: pg.QueryConfig, values?: unknown[]) =>
    onConnection(pool, (client) => client.query(config, values));
  return new Proxy(pool, {
    get: (target, name) => (name === 'query' ? query : Reflect.get(target, name)),
  });
}

/** Closes the connection only if the database did not answer on it. */
async function onConnection<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let isLost = false;
  try {
    return await work(client);
  } catch (error) {
    isLost = isUnavailable(error);
    throw error;
  } finally {
    client.release(isLost);
  }
}
