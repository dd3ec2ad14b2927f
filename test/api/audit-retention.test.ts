import { drizzle } from 'drizzle-orm/node-postgres';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pruneLog } from '../../src/audit/retention.ts';
import * as schema from '../../src/db/schema.ts';
import { Pepper } from '../../src/domain/pepper.ts';
import { checkAuditLog, tamper, writeLog } from '../support/audit-log.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';

const PEPPER = new Pepper('secret-of-the-tests-0123456789abcdef');
const HOUR_MS = 3_600_000;
const ORIGIN = {
  actor: { type: 'system', id: 'cli', onBehalfOf: null },
  requestId: 'cli_1',
  ip: null,
} as const;

describe('what retention does to the audit log', () => {
  let database: TestDatabase;
  let instance: Instance;
  let sql: pg.Client;
  let count = 0;
  let workspace: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url);
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });
  beforeEach(async () => {
    sql = await connect(database.url);
    workspace = `w${++count}`;
  });

  const prune = (before: Date) =>
    pruneLog(drizzle(sql, { schema }), workspace, before, ORIGIN, PEPPER);
  const events = async () =>
    (await instance.call('GET', `/v1/audit-events?workspaceId=${workspace}`)).body.data;
  const timeOf = async (sequence: number) => {
    const found = (await events()).find(
      (event: { sequence: number }) => event.sequence === sequence,
    );
    return new Date(found.time);
  };
  const sequences = async () =>
    (await events()).map((event: { sequence: number }) => event.sequence).reverse();
  /** Three entries, and two more an hour later. */
  const writeOldAndNew = async () => {
    await writeLog(instance, workspace, 3);
    instance.advance(HOUR_MS);
    for (const name of ['later', 'last']) {
      await instance.call('PUT', `/v1/workspaces/${workspace}`, { body: { name } });
    }
  };

  it('retention removes and records older entries, and leaves a log that is intact from its checkpoint on', async () => {
    await writeOldAndNew();
    const [third] = (await events()).slice(2);
    const before = await timeOf(4);
    const cut = await prune(before);
    expect(cut).toEqual({ dropped: 3, checkpoint: { sequence: 3, hash: third.hash } });
    expect(await sequences()).toEqual([4, 5, 6]);
    expect((await events())[0]).toMatchObject({
      action: 'audit.pruned',
      actor: { type: 'system', id: 'cli' },
      target: { type: 'workspace', id: workspace },
      before: null,
      after: { before: before.toISOString(), dropped: 3, sequence: 3, hash: third.hash },
      ip: null,
    });
    expect(await checkAuditLog(sql, workspace)).toMatchObject({
      problem: null,
      first: 4,
      entries: 3,
    });
  });

  it('a head from before the cut is reported as pruned, and the head at the cut is checked', async () => {
    await writeOldAndNew();
    const heads = (await events()).map(
      ({ sequence, hash }: { sequence: number; hash: string }) => ({
        sequence,
        hash,
      }),
    );
    await prune(await timeOf(4));
    const { problem, notes } = await checkAuditLog(sql, workspace, { expected: heads });
    expect(problem).toBeNull();
    expect(notes).toEqual([
      'the expected head 2 was pruned, up to 3',
      'the expected head 1 was pruned, up to 3',
    ]);
  });

  it('retention never removes the newest entry, and continues from one cut to the next', async () => {
    await writeLog(instance, workspace, 3);
    const future = new Date(Date.now() + 1000 * HOUR_MS);
    expect(await prune(future)).toMatchObject({ dropped: 2, checkpoint: { sequence: 2 } });
    expect(await sequences()).toEqual([3, 4]);
    expect(await prune(future)).toMatchObject({ dropped: 1, checkpoint: { sequence: 3 } });
    expect(await sequences()).toEqual([4, 5]);
    await instance.call('PUT', `/v1/workspaces/${workspace}`, { body: { name: 'after' } });
    expect(await checkAuditLog(sql, workspace)).toMatchObject({
      problem: null,
      first: 4,
      entries: 3,
    });
  });

  it('retention writes nothing if there is nothing to remove', async () => {
    await writeLog(instance, workspace, 2);
    expect(await prune(new Date(0))).toBeNull();
    expect(await sequences()).toEqual([1, 2]);
    workspace = 'never-used';
    expect(await prune(new Date())).toBeNull();
  });

  it('retention removes only a prefix of the log: an old entry behind a newer one stays', async () => {
    await writeOldAndNew();
    const swapped = `update audit_events set payload = jsonb_set(payload::jsonb, '{time}', $2)::text
                      where workspace_id = $1 and sequence = 2`;
    await tamper(sql, swapped, [workspace, JSON.stringify('2999-01-01T00:00:00.000Z')]);
    expect(await prune(await timeOf(4))).toMatchObject({ dropped: 1, checkpoint: { sequence: 1 } });
  });

  it('retention commits as a whole or not at all', async () => {
    await writeOldAndNew();
    const before = await timeOf(4);
    await sql.query(`
      create function refuse_entry() returns trigger language plpgsql as
        $$ begin raise exception 'refused'; end $$;
      create trigger refuse_entry before insert on audit_events
        for each row execute function refuse_entry()`);
    await expect(prune(before)).rejects.toThrow();
    await sql.query('drop trigger refuse_entry on audit_events');
    const { rows } = await sql.query(
      `select (select count(*)::int from audit_events where workspace_id = $1) as entries,
              (select count(*)::int from audit_checkpoints where workspace_id = $1) as cuts`,
      [workspace],
    );
    expect(rows).toEqual([{ entries: 5, cuts: 0 }]);
  });

  it('the service can write to the log while retention works', async () => {
    await writeLog(instance, workspace, 30);
    const before = await timeOf(30);
    const writes = Array.from({ length: 20 }, (_, index) =>
      instance.call('PUT', `/v1/workspaces/${workspace}`, { body: { name: `during ${index}` } }),
    );
    await Promise.all([prune(before), ...writes]);
    expect(await checkAuditLog(sql, workspace)).toMatchObject({
      problem: null,
      last: { sequence: 51 },
    });
  });

  it('only the transaction of retention may delete: afterwards the log refuses deletions again', async () => {
    await writeOldAndNew();
    await prune(await timeOf(4));
    const text = 'delete from audit_events where workspace_id = $1';
    await expect(sql.query(text, [workspace])).rejects.toThrow('append-only');
  });
});
