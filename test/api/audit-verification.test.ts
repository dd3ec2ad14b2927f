import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { appendAudit } from '../../src/audit/append.ts';
import { listLogs } from '../../src/audit/store.ts';
import { checkAuditLog, rewriteHashes, setHead, tamper, writeLog } from '../support/audit-log.ts';
import { connect, createTestDatabase, ormOf, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';

const ENTRIES = 5;

describe('what tampering with the audit log shows', () => {
  let database: TestDatabase;
  let keyed: Instance;
  let plain: Instance;
  let sql: pg.Client;
  let count = 0;
  let workspace: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    keyed = await launch(database.url);
    plain = await launch(database.url, { secret: undefined });
  });
  afterAll(async () => {
    await keyed.stop();
    await plain.stop();
    await database.drop();
  });
  beforeEach(async () => {
    sql = await connect(database.url);
    workspace = `w${++count}`;
  });

  const headOf = async (instance: Instance) =>
    (await instance.call('GET', `/v1/audit-events/head?workspaceId=${workspace}`)).body;
  const problem = async (more = {}) => (await checkAuditLog(sql, workspace, more)).problem;
  const withoutSecret = { peppers: new Map() };
  const ofEntry = (sequence: number) => [workspace, sequence];

  it('an untouched audit log is intact, and its exported head is its last entry', async () => {
    await writeLog(keyed, workspace, ENTRIES);
    const head = await headOf(keyed);
    expect(head).toEqual({
      workspaceId: workspace,
      sequence: ENTRIES,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      time: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    const verdict = await checkAuditLog(sql, workspace, { expected: [head] });
    expect(verdict).toMatchObject({
      problem: null,
      entries: ENTRIES,
      first: 1,
      last: { hash: head.hash },
    });
  });

  it('an empty audit log has a head too, which every later log continues', async () => {
    await sql.query('insert into workspaces (id) values ($1)', [workspace]);
    const head = await headOf(keyed);
    expect(head).toMatchObject({ sequence: 0, hash: '0'.repeat(64) });
    await writeLog(keyed, workspace, 1);
    expect(await problem({ expected: [head] })).toBeNull();
  });

  it('a head of the audit log is shown only to callers who may read the log', async () => {
    const body = { name: 'no auditor', permissions: ['keys:read'] };
    const { key } = (await keyed.call('POST', '/v1/management-keys', { body })).body;
    expect((await keyed.call('GET', '/v1/audit-events/head', { as: key })).status).toBe(403);
  });

  it('an audit entry that was changed is detected', async () => {
    await writeLog(keyed, workspace, ENTRIES);
    const change = `update audit_events set payload = replace(payload, 'name 3', 'name x')
                     where workspace_id = $1 and sequence = $2`;
    await tamper(sql, change, ofEntry(3));
    expect(await problem()).toBe('entry 3 was changed, or the one before it replaced');
  });

  it('an audit entry that was removed is detected', async () => {
    await writeLog(keyed, workspace, ENTRIES);
    await tamper(
      sql,
      'delete from audit_events where workspace_id = $1 and sequence = $2',
      ofEntry(3),
    );
    expect(await problem()).toBe('entry 3 is missing');
  });

  it('two audit entries that were swapped are detected', async () => {
    await writeLog(keyed, workspace, ENTRIES);
    const move = (from: number, to: number) =>
      tamper(
        sql,
        'update audit_events set sequence = $3 where workspace_id = $1 and sequence = $2',
        [...ofEntry(from), to],
      );
    await move(2, 99);
    await move(3, 2);
    await move(99, 3);
    expect(await problem()).toMatch(/^entry 2 holds what was written as 3 .*: entries were moved$/);
  });

  it('the audit log of a workspace is broken by the log of another one in its place, whole and linked as that is', async () => {
    for (const [writer, terms] of [
      [keyed, {}],
      [plain, withoutSecret],
    ] as const) {
      const other = `other-${workspace}`;
      await writeLog(writer, workspace, ENTRIES);
      await writeLog(writer, other, ENTRIES);
      const { hash } = (await checkAuditLog(sql, other, terms)).last;
      await tamper(sql, 'delete from audit_events where workspace_id = $1', [workspace]);
      const move = 'update audit_events set workspace_id = $1 where workspace_id = $2';
      await tamper(sql, move, [workspace, other]);
      await setHead(sql, workspace, ENTRIES, hash);
      expect(await problem(terms)).toMatch(/^entry 1 holds what was written as 1 of other-w\d+: /);
      workspace = `w${++count}`;
    }
  });

  it('a log that was cut at the front without a checkpoint, or with a forged one, is detected', async () => {
    await writeLog(keyed, workspace, ENTRIES);
    const cut =
      'delete from audit_events where workspace_id = $1 and sequence <= $2 returning hash';
    await tamper(
      sql,
      `with dropped as (${cut})
      insert into audit_checkpoints select $1, $2, max(hash), now() from dropped`,
      ofEntry(1),
    );
    expect(await problem()).toMatch(/front up to entry 1 .* no entry records that it was pruned/);
    await sql.query('delete from audit_checkpoints where workspace_id = $1', [workspace]);
    expect(await problem()).toBe('entry 1 is missing: the front was cut without a checkpoint');
  });

  it('a log that was cut at its end is detected, and with its head set back too by a head that was kept', async () => {
    await writeLog(keyed, workspace, ENTRIES);
    const kept = await headOf(keyed);
    await tamper(
      sql,
      'delete from audit_events where workspace_id = $1 and sequence > $2',
      ofEntry(3),
    );
    expect(await problem()).toBe('the tail was cut: entries 4 to 5 are missing');
    const { last } = await checkAuditLog(sql, workspace);
    await setHead(sql, workspace, last.sequence, last.hash);
    expect(await problem()).toBeNull();
    expect(await problem({ expected: [kept] })).toBe(
      'the tail was cut: the log ends at 3, the expected head is 5',
    );
  });

  it('entries beyond the head, and a log whose head is gone, are detected', async () => {
    await writeLog(keyed, workspace, ENTRIES);
    await setHead(sql, workspace, 4, 'f'.repeat(64));
    expect(await problem()).toBe('the last entry, 5, is not the one that audit_heads names');
    await sql.query('delete from audit_heads where workspace_id = $1', [workspace]);
    expect(await problem()).toBe('the last entry, 5, is not the one that audit_heads names');
  });

  it('a log that was rewritten with new hashes is detected by KEYWARD_SECRET, or by a head that was kept', async () => {
    await writeLog(keyed, workspace, ENTRIES);
    const kept = await headOf(keyed);
    const change = `update audit_events set payload = replace(payload, 'name 3', 'name x')
                     where workspace_id = $1`;
    await tamper(sql, change, [workspace]);
    await rewriteHashes(sql, workspace);
    expect(await problem()).toMatch('entry 5 is not keyed');
    expect(await problem(withoutSecret)).toBeNull();
    expect(await problem({ ...withoutSecret, expected: [kept] })).toBe(
      'entry 5 is not the expected head: the log was rewritten',
    );
  });

  it('a log without a secret is intact even if rewritten, unless a head was kept', async () => {
    await writeLog(plain, workspace, ENTRIES);
    const kept = await headOf(plain);
    expect(await problem({ ...withoutSecret, expected: [kept] })).toBeNull();
    await tamper(sql, `delete from audit_events where workspace_id = $1 and sequence > 4`, [
      workspace,
    ]);
    await rewriteHashes(sql, workspace);
    expect(await problem(withoutSecret)).toBeNull();
    expect(await problem({ ...withoutSecret, expected: [kept] })).toMatch('the tail was cut');
  });

  it('a keyed log cannot be checked without its secret, and the problem names the one it needs', async () => {
    await writeLog(keyed, workspace, ENTRIES);
    expect(await problem(withoutSecret)).toMatch(
      /^entry 1 cannot be checked without the KEYWARD_SECRET whose id is [0-9a-f]{16}$/,
    );
  });

  it('a removed entry is detected beyond the first pages of a long log, and progress is reported', async () => {
    const target = { type: 'workspace', id: workspace } as const;
    const entry = { workspaceId: workspace, action: 'test', target, before: null, after: null };
    const actor = { type: 'system', id: 'test', onBehalfOf: null } as const;
    const origin = { actor, requestId: 'req_1', ip: null };
    await ormOf(sql).transaction((tx) =>
      appendAudit(tx, Array(1201).fill(entry), origin, new Date(), null),
    );
    const progress: number[] = [];
    const onProgress = (entries: number) => progress.push(entries);
    expect(await problem({ ...withoutSecret, onProgress })).toBeNull();
    expect(progress).toEqual([500, 1000, 1201]);
    await tamper(
      sql,
      'delete from audit_events where workspace_id = $1 and sequence = $2',
      ofEntry(1001),
    );
    expect(await problem(withoutSecret)).toBe('entry 1001 is missing');
  });

  it('every workspace that has a trace of a log is checked', async () => {
    await sql.query(`insert into audit_heads values ('lost-events', 3, 'x')`);
    await writeLog(keyed, workspace, 1);
    const found = await listLogs(ormOf(sql));
    expect(found).toEqual(expect.arrayContaining(['default', 'lost-events', workspace, 'w1']));
    expect(new Set(found).size).toBe(found.length);
    expect((await checkAuditLog(sql, 'lost-events')).problem).toMatch('entries 1 to 3 are missing');
  });

  it.each(['origin', 'replica'])(
    'no audit entry can be changed, deleted or truncated while the triggers are on (session_replication_role = %s)',
    async (role) => {
      await writeLog(keyed, workspace, 2);
      await sql.query(`set session_replication_role = ${role}`);
      const refused = /append-only/;
      const statements = [
        `update audit_events set payload = payload where workspace_id = '${workspace}'`,
        `delete from audit_events where workspace_id = '${workspace}'`,
        'truncate audit_events',
        'truncate audit_events cascade',
      ];
      for (const text of statements) await expect(sql.query(text)).rejects.toThrow(refused);
      expect(await problem()).toBeNull();
    },
  );
});
