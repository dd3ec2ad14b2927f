import type pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { startCacheFixture } from '../support/cache-fixture.ts';
import { connect } from '../support/database.ts';
import { firstVerdict } from '../support/first-verdict.ts';
import { launch } from '../support/instance.ts';
import { startPrivatePostgres } from '../support/private-postgres.ts';
import { createKey, verify } from '../support/sql-keys.ts';
import { warmKey } from '../support/warm.ts';

const DEADLINE = { timeout: 60_000 };
const BACK = { timeout: 30_000, interval: 20 };

async function xid(client: pg.Client): Promise<number> {
  const { rows } = await client.query('select pg_current_xact_id()::text as id');
  return Number(rows[0].id);
}

async function walWriterPid(client: pg.Client): Promise<number> {
  const { rows } = await client.query(
    "select pid from pg_stat_activity where backend_type = 'walwriter'",
  );
  return rows[0].pid;
}

/** Tries until the server takes connections again. */
async function reconnect(url: string): Promise<pg.Client> {
  let client: pg.Client | undefined;
  const attempt = async () => {
    client = await connect(url).catch(() => undefined);
    return client !== undefined;
  };
  await expect.poll(attempt, BACK).toBe(true);
  if (!client) throw new Error('no connection');
  return client;
}

it('a revocation whose transaction id a crashed Postgres hands out again is noticed', {
  ...DEADLINE,
}, async () => {
  const server = await startPrivatePostgres({ autovacuum: 'off' });
  const instance = await launch(server.url);
  onTestFinished(instance.stop);
  const [lost, revoked] = [await createKey(instance), await createKey(instance)];
  const client = await connect(server.url);
  // Nothing may be written after the commits, or the ids of the lost transactions would survive.
  const walWriter = await walWriterPid(client);
  process.kill(walWriter, 'SIGSTOP');
  await client.query('checkpoint');
  await client.query('begin');
  await client.query('update keys set revoked_at = now() where id = $1', [lost.id]);
  const other = await connect(server.url);
  let newest = 0;
  for (let i = 0; i < 20; i++) {
    await other.query('begin');
    newest = await xid(other);
    await other.query('rollback');
  }
  for (const { key } of [lost, revoked]) await warmKey(key, instance);

  const ended = new Promise((resolve) => client.once('end', resolve));
  process.kill(walWriter, 'SIGKILL');
  await ended;
  const after = await reconnect(server.url);
  await after.query('begin');
  await after.query('update keys set revoked_at = now() where id = $1', [revoked.id]);
  const reused = await xid(after);
  await after.query('commit');
  expect(reused).toBeLessThanOrEqual(newest);

  expect(await firstVerdict(instance, revoked.key)).toBe('REVOKED');
  expect(await firstVerdict(instance, lost.key)).toBe('VALID');
});

it('a restart of Postgres resets the cache, so that a change during the outage is noticed', {
  ...DEADLINE,
}, async () => {
  const server = await startPrivatePostgres();
  const instance = await launch(server.url);
  onTestFinished(instance.stop);
  const { id, key } = await createKey(instance);
  await warmKey(key, instance);
  await server.stop();
  expect((await verify(instance, key)).status).toBe(503);
  await server.start();
  const client = await reconnect(server.url);
  await client.query('update keys set enabled = false where id = $1', [id]);
  expect(await firstVerdict(instance, key)).toBe('DISABLED');
});

it('a replica is refused, also by an instance that knew it as the primary', {
  ...DEADLINE,
}, async () => {
  const server = await startPrivatePostgres();
  const { database, fence } = await startCacheFixture(server.url);
  onTestFinished(() => database.close());
  await server.stop();
  await server.startAsReplica();
  const client = await reconnect(server.url);
  const { rows } = await client.query('select pg_is_in_recovery() as replica');
  expect(rows).toEqual([{ replica: true }]);
  const refusal = () =>
    fence.waitUntilFresh().then(
      () => 'passed',
      (error: unknown) => String(error),
    );
  await expect.poll(refusal, BACK).toContain('is a replica');
  await expect(startCacheFixture(server.url)).rejects.toMatchObject({ name: 'UnavailableError' });
});
