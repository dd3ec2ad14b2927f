import { sql } from 'drizzle-orm';
import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Database, type Orm } from '../../src/db/database.ts';
import { isUnavailable } from '../../src/db/errors.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const POOL_SIZE = 2;
const CONNECT_MS = 2000;
const DAY_MS = 86_400_000;

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  client = await connect(database.url);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => vi.useRealTimers());

function open(url = database.url): Database {
  const own = new Database({ url, poolSize: POOL_SIZE, preparedStatements: true });
  onTestFinished(async () => {
    vi.useRealTimers();
    // What a test left asleep would keep the pools from ending.
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`,
    );
    await own.close();
  });
  return own;
}

/** Each way on which a statement reaches Postgres: it asks, and answers its rows. */
type Door = (own: Database, text: string) => Promise<Record<string, unknown>[]>;

const statement = (orm: Orm, text: string) =>
  orm.execute(sql.raw(text)).then(({ rows }) => [...rows]);
const transaction = (orm: Orm, text: string) =>
  orm.transaction((tx) => tx.execute(sql.raw(text)).then(({ rows }) => [...rows]));

const DOORS: [string, number, Door][] = [
  ['a statement of verification', 2000, (own, text) => own.query({ name: text, text }, [])],
  ['a write of verification', 2000, (own, text) => statement(own.dataOrm, text)],
  ['a transaction of verification', 2000, (own, text) => transaction(own.dataOrm, text)],
  ['a statement of a management call', 15_000, (own, text) => statement(own.orm, text)],
  ['a transaction of a management call', 15_000, (own, text) => transaction(own.orm, text)],
];

/** What became of it so far. */
function refusals(promise: Promise<unknown>) {
  const watched: { error: unknown; isOver: boolean } = { error: null, isOver: false };
  promise.then(
    () => Object.assign(watched, { isOver: true }),
    (error) => Object.assign(watched, { isOver: true, error }),
  );
  return watched;
}

/** What the advanced clock set off has happened, as far as this process can make it. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await client.query('select 1');
}

/** The backend that sleeps, once it does. */
async function sleeper(): Promise<number> {
  for (;;) {
    const { rows } = await client.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and state = 'active'
          and query like 'select pg_sleep(3600)%'`,
    );
    const [found] = rows;
    if (found) return found.pid;
  }
}

describe('a connection on which Postgres falls silent', () => {
  it.each(DOORS)(
    '%s fails after %i ms, and its connection is reported as lost',
    async (_, ms, ask) => {
      const own = open();
      let losses = 0;
      own.onConnectionLoss(() => losses++);
      const watched = refusals(ask(own, 'select pg_sleep(3600)'));
      const silent = await sleeper();
      vi.advanceTimersByTime(ms - 1);
      await settle();
      expect(watched.isOver).toBe(false);
      vi.advanceTimersByTime(1);
      await settle();
      // A transaction asks for its rollback, too, and waits as long for that.
      if (!watched.isOver) vi.advanceTimersByTime(ms);
      await settle();
      expect(watched.isOver).toBe(true);
      expect(isUnavailable(watched.error)).toBe(true);

      vi.useRealTimers();
      const asked = Array.from({ length: 6 }, () => ask(own, 'select pg_backend_pid() as pid'));
      const pids = (await Promise.all(asked)).map(([row]) => row?.pid);
      expect(pids).not.toContain(silent);
      expect(losses).toBeGreaterThan(0);
    },
  );

  it.each(DOORS)(
    '%s that Postgres refuses leaves its connection in the pool, whatever was refused',
    async (_, __, ask) => {
      const own = open();
      let losses = 0;
      own.onConnectionLoss(() => losses++);
      const [before] = await ask(own, 'select pg_backend_pid() as pid');
      await expect(ask(own, `select 'x'::int`)).rejects.toThrow();
      await expect(ask(own, 'select from nowhere')).rejects.toThrow();
      expect(await ask(own, 'select pg_backend_pid() as pid')).toEqual([before]);
      expect(losses).toBe(0);
    },
  );
});

describe('a connection that is asked for', () => {
  it.each(DOORS)(
    '%s waits at most 2,000 ms for Postgres to accept a connection',
    async (_, __, ask) => {
      const proxy = await TcpProxy.open(database.url);
      proxy.silence();
      const watched = refusals(ask(open(proxy.url), 'select 1'));
      vi.advanceTimersByTime(CONNECT_MS - 1);
      await settle();
      expect(watched.isOver).toBe(false);
      vi.advanceTimersByTime(1);
      await settle();
      expect(isUnavailable(watched.error)).toBe(true);
    },
  );

  it.each(DOORS)(
    '%s waits at most 2,000 ms for one of the connections that others use',
    async (_, __, ask) => {
      const own = open();
      const gate = Promise.withResolvers<void>();
      const sizes = own.resourceLimits.map(({ max }) => max);
      const held = [own.orm, own.dataOrm].flatMap((orm, pool) =>
        Array.from({ length: sizes[pool] ?? 0 }, () => hold(orm, gate.promise)),
      );
      await Promise.all(held.map(({ reached }) => reached));
      const watched = refusals(ask(own, 'select 1'));
      vi.advanceTimersByTime(CONNECT_MS - 1);
      await settle();
      expect(watched.isOver).toBe(false);
      vi.advanceTimersByTime(1);
      await settle();
      expect(isUnavailable(watched.error)).toBe(true);
      gate.resolve();
      await Promise.allSettled(held.map(({ over }) => over));
    },
  );

  it.each(DOORS)('%s still uses its connection after a day without calls', async (_, __, ask) => {
    const own = open();
    let losses = 0;
    own.onConnectionLoss(() => losses++);
    const before = await ask(own, 'select pg_backend_pid() as pid');
    vi.advanceTimersByTime(DAY_MS);
    await settle();
    expect(await ask(own, 'select pg_backend_pid() as pid')).toEqual(before);
    expect(losses).toBe(0);
  });
});

/** A transaction that keeps its connection until the gate opens. */
function hold(orm: Orm, gate: Promise<void>) {
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  const over = orm.transaction(async () => {
    resolve();
    await gate;
  });
  over.catch(() => {});
  return { reached, over };
}
