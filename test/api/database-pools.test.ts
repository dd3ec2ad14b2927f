import { Socket } from 'node:net';
import { sql } from 'drizzle-orm';
import type pg from 'pg';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Database, type Orm } from '../../src/db/database.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';

const POOL_SIZE = 3;
const VERIFICATION_POOL_SIZE = 7;

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  client = await connect(database.url);
});

function open(preparedStatements = true): Database {
  const own = new Database({ url: database.url, poolSize: POOL_SIZE, preparedStatements });
  onTestFinished(() => own.close());
  return own;
}

/** How often a loss was reported so far. */
function lossesOf(own: Database): { count: number } {
  const losses = { count: 0 };
  own.onConnectionLoss(() => losses.count++);
  return losses;
}

async function pidOn(orm: Pick<Orm, 'execute'>): Promise<number> {
  const { rows } = await orm.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
  return rows[0]?.pid ?? 0;
}

const terminate = (pid: number) => client.query('select pg_terminate_backend($1)', [pid]);

const POOLS: [string, (own: Database) => Orm][] = [
  ['management calls', ({ orm }) => orm],
  ['verification', ({ dataOrm }) => dataOrm],
];

describe('the loss of a connection', () => {
  it.each(POOLS)('an idle connection of %s that ends is reported as lost', async (_, of) => {
    const own = open();
    const [first, second] = [lossesOf(own), lossesOf(own)];
    const pid = await pidOn(of(own));
    await terminate(pid);
    await expect.poll(() => Math.min(first.count, second.count)).toBeGreaterThan(0);
    expect(await pidOn(of(own))).not.toBe(pid);
  });

  it.each(POOLS)(
    'a connection of %s that ends between two statements of a transaction is reported at once',
    async (_, of) => {
      const own = open();
      const losses = lossesOf(own);
      let isReported = false;
      const broken = of(own).transaction(async (tx) => {
        await terminate(await pidOn(tx));
        isReported = await vi.waitUntil(() => losses.count > 0).catch(() => false);
        await tx.execute(sql`select 1`);
      });
      await expect(broken).rejects.toThrow();
      expect(isReported).toBe(true);
    },
  );

  it.each(POOLS)(
    'a connection of %s that ends during a statement is reported before its caller gets the error',
    async (_, of) => {
      const own = open();
      const losses = lossesOf(own);
      const asked = of(own).transaction((tx) => tx.execute(sql`select pg_sleep(3600)`));
      const heard = asked.catch(() => losses.count);
      for (let ended = 0; ended === 0; ) ended = (await terminateSleepers()) ?? 0;
      expect(await heard).toBeGreaterThan(0);
    },
  );

  it('closing ends all connections, and none of them is reported as lost', async () => {
    const own = new Database({ url: database.url, poolSize: 2, preparedStatements: true });
    const losses = lossesOf(own);
    const pids = await Promise.all([pidOn(own.orm), pidOn(own.dataOrm)]);
    await own.close();
    const left = 'select from pg_stat_activity where pid = any($1)';
    await expect.poll(async () => (await client.query(left, [pids])).rowCount).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(losses.count).toBe(0);
  });

  const terminateSleepers = async () => {
    const { rowCount } = await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where state = 'active'
        and datname = current_database() and query like 'select pg_sleep(3600)%'`,
    );
    return rowCount;
  };
});

describe('the pools', () => {
  const usedOf = (own: Database) =>
    Object.fromEntries(own.resourceLimits.map(({ name, max, used }) => [name, [used(), max]]));

  it('management calls and verification have connections of their own, as many as are set and seven', async () => {
    const own = open();
    const gate = Promise.withResolvers<void>();
    const hold = async (orm: Orm, reached: () => void) =>
      orm.transaction(async () => {
        reached();
        await gate.promise;
      });
    const holdAll = (orm: Orm, count: number) =>
      Array.from({ length: count }, () => new Promise<void>((reached) => void hold(orm, reached)));
    expect(usedOf(own)).toEqual({
      management_connections: [0, POOL_SIZE],
      verification_connections: [0, VERIFICATION_POOL_SIZE],
    });
    await Promise.all(holdAll(own.orm, 2));
    expect(usedOf(own).management_connections).toEqual([2, POOL_SIZE]);
    expect(usedOf(own).verification_connections).toEqual([0, VERIFICATION_POOL_SIZE]);
    await Promise.all([...holdAll(own.orm, 1), ...holdAll(own.dataOrm, VERIFICATION_POOL_SIZE)]);
    expect(usedOf(own)).toEqual({
      management_connections: [POOL_SIZE, POOL_SIZE],
      verification_connections: [VERIFICATION_POOL_SIZE, VERIFICATION_POOL_SIZE],
    });
    gate.resolve();
    await expect
      .poll(() => usedOf(own).verification_connections)
      .toEqual([0, VERIFICATION_POOL_SIZE]);
    expect(usedOf(own).management_connections).toEqual([0, POOL_SIZE]);
  });

  it('all connections are named keyward, so that an operator finds them', async () => {
    const own = open();
    const pids = await Promise.all([pidOn(own.orm), pidOn(own.dataOrm)]);
    const { rows } = await client.query<{ name: string }>(
      'select application_name as name from pg_stat_activity where pid = any($1)',
      [pids],
    );
    expect(rows).toEqual([{ name: 'keyward' }, { name: 'keyward' }]);
  });

  it.each(POOLS)(
    'TCP keep-alive is enabled on connections of %s, so that a dead idle one is noticed',
    async (_, of) => {
      const keepAlive = vi.spyOn(Socket.prototype, 'setKeepAlive');
      onTestFinished(() => keepAlive.mockRestore());
      await pidOn(of(open()));
      expect(keepAlive.mock.calls.map(([enable]) => enable)).toEqual([true]);
    },
  );
});

describe('statements of verification', () => {
  const preparedBy = async (own: Database): Promise<string[]> => {
    for (let times = 0; times < 2; times++) {
      await own.query({ name: 'once', text: 'select $1::int as value' }, [7]);
    }
    const text = 'select name from pg_prepared_statements';
    const rows = await own.query<{ name: string }>({ name: 'probe', text }, []);
    return rows.map(({ name }) => name).filter((name) => name !== 'probe');
  };

  it('a statement of verification is prepared under its name if prepared statements are on', async () => {
    expect(await preparedBy(open(true))).toEqual(['once']);
  });

  it('a statement of verification is not prepared if prepared statements are off', async () => {
    expect(await preparedBy(open(false))).toEqual([]);
  });
});
