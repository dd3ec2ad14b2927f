import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { untilWaiting } from '../support/locks.ts';
import { putWorkspace } from '../support/pair.ts';

const MINUTE_MS = 60_000;
const NOT_ENDED = 'keys of a deleted workspace were not ended yet';

let database: TestDatabase;
let client: pg.Client;
let instance: Instance;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  client = await connect(database.url);
  instance = await launch(database.url);
  onTestFinished(instance.stop);
  instance.service.start();
});
afterEach(() => vi.useRealTimers());

const left = async (id: string) => {
  const { rows } = await client.query<{ left: number }>(
    'select count(*)::int as left from keys where workspace_id = $1 and deleted_at is null',
    [id],
  );
  return rows[0]?.left;
};

/** Deletes a workspace of that number of keys, of which the deletion ends 500. */
async function deleteWorkspaceOf(id: string, count: number): Promise<void> {
  await putWorkspace(instance, id);
  await client.query(
    `insert into keys (id, workspace_id, name, prefix, scopes, metadata, enabled,
                       created_at, created_by, updated_at)
     select 'key_' || lpad($1 || n::text, 22, '0'), $1, 'one of many', 'ak_live', '{}', '{}', true,
            now(), '{}', now()
       from generate_series(1, $2::int) n`,
    [id, count],
  );
  expect((await instance.call('DELETE', `/v1/workspaces/${id}`)).status).toBe(204);
}

it('every minute an instance ends the keys that the deletion of a workspace has left, and no sooner', async () => {
  await deleteWorkspaceOf('large', 2500);
  vi.advanceTimersByTime(MINUTE_MS - 1);
  expect(await left('large')).toBe(2000);
  vi.advanceTimersByTime(1);
  await expect.poll(() => left('large'), { timeout: 20_000 }).toBe(0);
  await deleteWorkspaceOf('larger', 1500);
  vi.advanceTimersByTime(MINUTE_MS);
  await expect.poll(() => left('larger'), { timeout: 20_000 }).toBe(0);
});

it('a stop lets the step of a deletion end that is in progress, and begins no other', async () => {
  await deleteWorkspaceOf('stopped', 3500);
  await client.query('begin');
  await client.query('lock table keys in exclusive mode');
  vi.advanceTimersByTime(MINUTE_MS);
  await untilWaiting(database.url, 1);
  const stopped = instance.service.stop();
  await client.query('commit');
  expect(await stopped).toBe(true);
  expect(await left('stopped')).toBe(2500);
  expect(instance.logLines.filter((line) => line.includes(NOT_ENDED))).toEqual([]);
});

it('every minute an instance says that its secret is in use, and one without a secret says nothing', async () => {
  const isRecent = async () => {
    const { rows } = await client.query(
      `select last_used_at > now() - interval '1 minute' as recent from known_secrets`,
    );
    return rows.map(({ recent }) => recent);
  };
  await client.query(`update known_secrets set last_used_at = now() - interval '1 hour'`);
  vi.advanceTimersByTime(MINUTE_MS - 1);
  expect(await isRecent()).toEqual([false]);
  vi.advanceTimersByTime(1);
  await expect.poll(isRecent).toEqual([true]);
  await client.query('truncate known_secrets');
  await instance.stop();
  const secretless = await launch(database.url, { secret: undefined });
  onTestFinished(secretless.stop);
  secretless.service.start();
  await client.query(`insert into idempotency_keys (caller_id, key, fingerprint, answer, created_at)
    values ('c', 'old', 'f', '{}', now() - interval '25 hours')`);
  vi.advanceTimersByTime(MINUTE_MS);
  const old = () => client.query('select from idempotency_keys').then(({ rowCount }) => rowCount);
  await expect.poll(old).toBe(0);
  expect(await isRecent()).toEqual([]);
});
