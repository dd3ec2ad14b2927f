import { createHash } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkAuditLog, writeLog } from '../support/audit-log.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { retryOn503 } from '../support/pair.ts';

const WRITERS = 200;

describe('those who write to the audit log', () => {
  let database: TestDatabase;
  let first: Instance;
  let second: Instance;
  let sql: pg.Client;

  beforeAll(async () => {
    database = await createTestDatabase();
    first = await launch(database.url);
    second = await launch(database.url);
  });
  afterAll(async () => {
    await first.stop();
    await second.stop();
    await database.drop();
  });
  beforeEach(async () => {
    sql = await connect(database.url);
  });

  const rename = (instance: Instance, workspaceId: string, name: string) =>
    instance.call('PUT', `/v1/workspaces/${workspaceId}`, { body: { name } });
  const createKey = (instance: Instance, body: object) =>
    instance.call('POST', '/v1/keys', { body: { name: 'a key', ...body } });
  const waitingForLocks = async () => {
    const { rows } = await sql.query(
      `select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows[0].waiting;
  };

  /** Imported, which is much quicker than to create each of them. */
  const createKeys = async (workspaceId: string, count: number): Promise<string[]> => {
    const digest = (index: number) => createHash('sha256').update(`${index}`).digest('hex');
    const keys = Array.from({ length: count }, (_, index) => ({
      name: 'a key',
      hash: { algorithm: 'sha256', value: digest(index) },
    }));
    const { body } = await first.call('POST', '/v1/keys/import', { body: { workspaceId, keys } });
    return body.results.map(({ keyId }: { keyId: string }) => keyId);
  };

  it(`${WRITERS} concurrent writers in one workspace over two instances make one intact chain`, {
    timeout: 90_000,
  }, async () => {
    await rename(first, 'busy', 'busy');
    const keys = await createKeys('busy', WRITERS);
    const patched = await Promise.all(
      keys.map((id, index) =>
        retryOn503(index % 2 ? first : second, 'PATCH', `/v1/keys/${id}?workspaceId=busy`, {
          body: { name: id },
        }),
      ),
    );
    expect(new Set(patched.map(({ status }) => status))).toEqual(new Set([200]));
    const entries = 1 + 2 * WRITERS;
    expect(await checkAuditLog(sql, 'busy')).toMatchObject({
      problem: null,
      entries,
      last: { sequence: entries },
    });
    const { rows } = await sql.query(
      `select count(distinct target_id)::int as keys from audit_events
        where workspace_id = 'busy' and action = 'key.updated'`,
    );
    expect(rows[0].keys).toBe(WRITERS);
  });

  it('the first concurrent writers of a workspace wait for each other, and no entry is lost', async () => {
    await sql.query(`insert into workspaces (id) values ('new')`);
    const made = await Promise.all(
      [first, second, first, second, first, second].map((instance) =>
        createKey(instance, { workspaceId: 'new' }),
      ),
    );
    expect(made.map(({ status }) => status)).toEqual(Array(6).fill(201));
    expect(await checkAuditLog(sql, 'new')).toMatchObject({ problem: null, last: { sequence: 6 } });
  });

  it('writers of another workspace do not wait for an open transaction that locks a head', async () => {
    await writeLog(first, 'held', 1);
    await writeLog(first, 'free', 1);
    await sql.query('begin');
    await sql.query(`select from audit_heads where workspace_id = 'held' for update`);
    let isDone = false;
    const held = rename(first, 'held', 'must wait').then(() => {
      isDone = true;
    });
    await vi.waitFor(async () => expect(await waitingForLocks()).toBe(1), { timeout: 10_000 });
    expect((await rename(first, 'free', 'need not wait')).status).toBe(200);
    expect(isDone).toBe(false);
    await sql.query('commit');
    await held;
    expect(await checkAuditLog(sql, 'held')).toMatchObject({ problem: null, entries: 2 });
    expect(await checkAuditLog(sql, 'free')).toMatchObject({ problem: null, entries: 2 });
  });

  it('a change is rolled back if its audit entry cannot be written', async () => {
    const { id, key } = (await createKey(first, {})).body;
    await sql.query(`
      create function refuse_entry() returns trigger language plpgsql as
        $$ begin raise exception 'refused'; end $$;
      create trigger refuse_entry before insert on audit_events
        for each row execute function refuse_entry()`);
    const refused = await first.call('POST', `/v1/keys/${id}/revoke`, { body: {} });
    await sql.query('drop trigger refuse_entry on audit_events');
    expect(refused.status).toBe(500);
    const answer = await second.call('POST', '/v1/verify', { body: { key } });
    expect(answer.body.code).toBe('VALID');
  });

  it('an audit entry is rolled back if its change does not commit', async () => {
    await rename(first, 'undone', 'before');
    await sql.query(`
      create function refuse_commit() returns trigger language plpgsql as
        $$ begin raise exception 'refused at commit'; end $$;
      create constraint trigger refuse_commit after update on workspaces
        deferrable initially deferred for each row
        when (new.name = 'after') execute function refuse_commit()`);
    expect((await rename(first, 'undone', 'after')).status).toBe(500);
    expect(await checkAuditLog(sql, 'undone')).toMatchObject({ problem: null, entries: 1 });
    const { body } = await second.call('GET', '/v1/workspaces/undone');
    expect(body.name).toBe('before');
    expect((await rename(second, 'undone', 'again')).status).toBe(200);
    expect(await checkAuditLog(sql, 'undone')).toMatchObject({ problem: null, entries: 2 });
  });
});
