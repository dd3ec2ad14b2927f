import type pg from 'pg';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { DeletedWorkspaces } from '../../src/keys/deleted-workspaces.ts';
import { Clock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { UnitOfWork } from '../../src/unit-of-work/unit-of-work.ts';
import { connect } from '../support/database.ts';
import type { Instance } from '../support/instance.ts';
import { auditOf, putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

describe('a deleted workspace with thousands of keys', () => {
  const pair = usePair();
  let client: pg.Client;
  beforeEach(async () => {
    client = await connect(pair.databaseUrl);
  });

  /** The job of an instance, as its housekeeping runs it every minute. */
  const jobOf = ({ service }: Instance) => {
    const { orm } = service.internals.database;
    const unitOfWork = new UnitOfWork(orm, new Clock(() => 0), null);
    return new DeletedWorkspaces(orm, unitOfWork, createLogger('silent'), (step) => step());
  };
  const left = async (id: string) => {
    const { rows } = await client.query<{ left: number }>(
      `select count(*)::int as left from keys where workspace_id = $1 and deleted_at is null`,
      [id],
    );
    return rows[0]?.left;
  };
  const fill = (id: string, count: number) =>
    client.query(
      `insert into keys (id, workspace_id, name, prefix, scopes, metadata, enabled,
                         created_at, created_by, updated_at)
       select 'key_' || lpad($1 || n::text, 22, '0'), $1, 'one of many', 'ak_live', '{}', '{}', true,
              now(), '{}', now()
         from generate_series(1, $2::int) n`,
      [id, count],
    );
  const remove = (id: string) => pair.first.call('DELETE', `/v1/workspaces/${id}`);
  const put = (id: string) => pair.second.call('PUT', `/v1/workspaces/${id}`);

  it('its deletion ends 500 keys at once and all of them for verifications, reads, changes and lists, and the rest follows in steps', async () => {
    await putWorkspace(pair.first, 'big', { maxActiveKeys: 5000 });
    await fill('big', 2500);
    const { id, key } = await createKey(pair.first, { workspaceId: 'big' });
    const [before] = (await client.query('select revision from keys where id = $1', [id])).rows;
    expect((await remove('big')).status).toBe(204);
    expect(await left('big')).toBe(2001);
    const [entry] = await auditOf(pair.first, 'big', 'big');
    expect(entry).toMatchObject({ action: 'workspace.deleted', after: { keysEnded: 2501 } });
    await client.query(`update keys set deleted_at = null, revoked_at = null where id = $1`, [id]);
    expect(await verdict(pair.second, key)).toBe('NOT_FOUND');
    const gone = [
      await pair.second.call('GET', `/v1/keys/${id}`),
      await pair.second.call('PATCH', `/v1/keys/${id}`, { body: { name: 'still here' } }),
      await pair.second.call('POST', `/v1/keys/${id}/revoke`),
      await pair.second.call('POST', `/v1/keys/${id}/rotate`, { body: { graceSeconds: 0 } }),
      await pair.second.call('POST', `/v1/keys/${id}/explain`, { body: {} }),
      await pair.second.call('DELETE', `/v1/keys/${id}`),
      await pair.second.call('GET', '/v1/keys?workspaceId=big'),
    ];
    expect(gone.map(({ status }) => status)).toEqual(gone.map(() => 404));
    const { body } = await pair.second.call('GET', '/v1/keys?workspaceId=*&limit=200');
    expect(body.data.filter((it: { workspaceId: string }) => it.workspaceId === 'big')).toEqual([]);
    const found = await pair.second.call('POST', '/v1/keys/find', { body: { key } });
    expect(found.body).toMatchObject({
      ...{ key: { id, status: 'revoked' }, deletedAt: expect.any(String) },
      secret: { status: 'ended', endedBy: 'deletion' },
    });
    await jobOf(pair.second).endKeys();
    expect(await left('big')).toBe(0);
    const { rows } = await client.query(
      `select min(revision)::int as lowest, count(distinct deleted_at)::int as moments,
              count(*) filter (where revoked_at = deleted_at)::int as revoked
         from keys where workspace_id = 'big'`,
    );
    expect(rows).toEqual([{ lowest: before.revision + 1, moments: 1, revoked: 2501 }]);
  });

  it('it cannot be made again before its last key has ended, and then has room for as many keys as it may have', async () => {
    await putWorkspace(pair.first, 'again');
    await fill('again', 1001);
    const { headers } = await pair.first.call('GET', '/v1/workspaces/again');
    await remove('again');
    const early = await put('again');
    expect([early.status, early.body.code]).toEqual([409, 'WORKSPACE_DELETION_UNDER_WAY']);
    await jobOf(pair.first).endKeys();
    const made = await pair.second.call('PUT', '/v1/workspaces/again', {
      body: { maxActiveKeys: 1 },
    });
    expect(made.status).toBe(201);
    expect(made.headers.etag).not.toBe(headers.etag);
    const body = { name: 'a key', workspaceId: 'again' };
    expect((await pair.first.call('POST', '/v1/keys', { body })).status).toBe(201);
    expect((await pair.first.call('POST', '/v1/keys', { body })).body.code).toBe(
      'KEY_LIMIT_REACHED',
    );
  });

  it('a step whose connection is killed changes nothing, and a later run on another instance ends what is left', async () => {
    await putWorkspace(pair.first, 'killed');
    await fill('killed', 3000);
    await remove('killed');
    const blocker = await connect(pair.databaseUrl);
    await blocker.query('begin');
    await blocker.query('lock table change_feed in exclusive mode');
    const run = jobOf(pair.first).endKeys();
    await killWaiting(client);
    await run;
    await blocker.query('rollback');
    expect(await left('killed')).toBe(2500);
    expect((await put('killed')).status).toBe(409);
    await jobOf(pair.second).endKeys();
    expect(await left('killed')).toBe(0);
    expect((await put('killed')).status).toBe(201);
  });

  it('two instances that end the keys of a workspace at the same time share the work', async () => {
    await putWorkspace(pair.first, 'shared');
    await fill('shared', 4000);
    await remove('shared');
    await Promise.all([jobOf(pair.first).endKeys(), jobOf(pair.second).endKeys()]);
    expect(await left('shared')).toBe(0);
    const { rows } = await client.query(
      `select distinct revision from keys where workspace_id = 'shared'`,
    );
    expect(rows).toEqual([{ revision: 2 }]);
  });

  it('a key that someone has locked keeps no other from ending, and ends later', async () => {
    await putWorkspace(pair.first, 'locked');
    await fill('locked', 5);
    const blocker = await connect(pair.databaseUrl);
    onTestFinished(async () => void (await blocker.query('rollback').catch(() => {})));
    await blocker.query('begin');
    await blocker.query(`select from keys where workspace_id = 'locked' limit 1 for update`);
    expect((await remove('locked')).status).toBe(204);
    expect(await left('locked')).toBe(1);
    await jobOf(pair.first).endKeys();
    expect(await left('locked')).toBe(1);
    await blocker.query('commit');
    await jobOf(pair.first).endKeys();
    expect(await left('locked')).toBe(0);
  });

  it('a job that is stopped ends no further keys', async () => {
    await putWorkspace(pair.first, 'stopped');
    await fill('stopped', 1500);
    await remove('stopped');
    await jobOf(pair.first).endKeys(AbortSignal.abort());
    expect(await left('stopped')).toBe(1000);
  });
});

/** Ends the connection of the first statement that waits for a lock. */
async function killWaiting(client: pg.Client): Promise<void> {
  for (;;) {
    const { rowCount } = await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query ilike 'update%keys%'`,
    );
    if (rowCount) return;
  }
}
