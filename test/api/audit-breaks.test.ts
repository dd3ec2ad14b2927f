import type pg from 'pg';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkAuditLog, setHead, tamper, writeLog } from '../support/audit-log.ts';
import { runInProcess } from '../support/command.ts';
import { connect } from '../support/database.ts';
import { TEST_SECRET } from '../support/instance.ts';
import { auditOf, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const HASH = 'f'.repeat(64);
const MAX_BIGINT = '9223372036854775807';

/** Past the triggers, as only the owner can. */
const forge = (sql: pg.Client, workspaceId: string, sequence: number | string, payload = '{}') =>
  tamper(
    sql,
    'insert into audit_events (workspace_id, sequence, payload, hash) values ($1, $2, $3, $4)',
    [workspaceId, sequence, payload, HASH],
  );
const setStored = (sql: pg.Client, workspaceId: string, sequence: string, hash = HASH) =>
  sql.query('update audit_heads set sequence = $2, hash = $3 where workspace_id = $1', [
    ...[workspaceId, sequence, hash],
  ]);
const next = `(select max(sequence) + 1 from audit_events where workspace_id = 'broken')`;

/** How a log can be broken, and what verification finds after the next change. */
const BREAKS: [string, (sql: pg.Client) => Promise<unknown>, RegExp][] = [
  [
    'holds an entry that was inserted behind its head',
    (sql) =>
      tamper(
        sql,
        `insert into audit_events (workspace_id, sequence, payload, hash)
         select 'broken', ${next}, '{}', '${HASH}'`,
      ),
    /was written as undefined of undefined/,
  ],
  [
    'holds a forged entry that a thief of the service’s rights has added',
    (sql) =>
      sql.query(
        `insert into audit_events (workspace_id, sequence, payload, hash)
         select 'broken', s, jsonb_build_object('workspaceId', 'broken', 'sequence', s, 'id', 'evt_x',
                'action', 'key.updated', 'time', 'now', 'actor', '{"id": "me"}'::jsonb), '${HASH}'
           from (select ${next}) as place (s)`,
      ),
    /entry \d+ is not keyed|was changed/,
  ],
  ['has a head that is ahead', (sql) => setStored(sql, 'broken', '1000'), /records that the log/],
  ['has a head that is behind', (sql) => setStored(sql, 'broken', '1'), /records that the log/],
  [
    'has no head',
    (sql) => sql.query(`delete from audit_heads where workspace_id = 'broken'`),
    /records that the log/,
  ],
  [
    'has a head with another hash, which is none',
    (sql) => sql.query(`update audit_heads set hash = 'x' where workspace_id = 'broken'`),
    /records that the log/,
  ],
  ['has a head below zero', (sql) => setStored(sql, 'broken', '-5', ''), /records that the log/],
  [
    'has a head at the end of what JavaScript can count',
    (sql) => setStored(sql, 'broken', '9007199254740992'),
    /records that the log/,
  ],
  [
    'has a head at the end of what Postgres can count',
    (sql) => setStored(sql, 'broken', MAX_BIGINT),
    /records that the log/,
  ],
  [
    'has an entry and a head at the end of what JavaScript can count',
    async (sql) => {
      await forge(sql, 'broken', '9007199254740991');
      await setStored(sql, 'broken', '9007199254740991');
    },
    /are missing|records that the log/,
  ],
  [
    'has an entry and a head at the end of what Postgres can count',
    async (sql) => {
      await forge(sql, 'broken', MAX_BIGINT);
      await setStored(sql, 'broken', MAX_BIGINT);
    },
    /are missing|records that the log/,
  ],
  [
    'has lost its newest entry',
    (sql) =>
      tamper(
        sql,
        `delete from audit_events where workspace_id = 'broken' and sequence = ${next} - 1`,
      ),
    /records that the log/,
  ],
  [
    'has lost all entries',
    (sql) => tamper(sql, `delete from audit_events where workspace_id = 'broken'`),
    /records that the log/,
  ],
];

describe('a broken audit log', () => {
  const pair = usePair();
  let sql: pg.Client;
  beforeEach(async () => {
    sql = await connect(pair.databaseUrl);
    await tamper(sql, `delete from audit_events where workspace_id = 'broken'`);
    await sql.query(`delete from audit_heads where workspace_id = 'broken'`);
    await writeLog(pair.first, 'broken', 3);
  });

  const problem = async () => (await checkAuditLog(sql, 'broken')).problem;
  const revoke = async () => {
    const { id, key } = await createKey(pair.first, { workspaceId: 'broken' });
    return {
      key,
      revoke: () => pair.first.call('POST', `/v1/keys/${id}/revoke`, { body: {} }),
      id,
    };
  };

  it.each(BREAKS)(
    'a log that %s blocks no revocation: the log goes on, records the break, and verification reports it',
    async (_, breakLog, found) => {
      const doomed = await revoke();
      await breakLog(sql);
      const { status } = await doomed.revoke();
      expect(status).toBe(200);
      expect(await verdict(pair.second, doomed.key)).toBe('REVOKED');
      const [entry] = await auditOf(pair.first, doomed.id, 'broken');
      expect(entry).toMatchObject({ action: 'key.revoked' });
      expect(await problem()).toMatch(found);
      const again = await createKey(pair.second, { workspaceId: 'broken' });
      const bulk = { workspaceId: 'broken', ids: [again.id] };
      expect((await pair.second.call('POST', '/v1/keys/bulk-revoke', { body: bulk })).status).toBe(
        200,
      );
    },
  );

  it('a break is one entry that says what the head was and behind which entry the log goes on', async () => {
    const { hash } = (await checkAuditLog(sql, 'broken')).last;
    await setHead(sql, 'broken', 7, HASH);
    await writeLog(pair.first, 'broken', 2);
    const entries = await auditOf(pair.first, 'broken', 'broken');
    const breaks = entries.filter((entry: { action: string }) => entry.action === 'audit.break');
    expect(breaks).toMatchObject([
      {
        sequence: 4,
        actor: { type: 'system', id: 'audit' },
        before: { sequence: 7, hash: HASH },
        after: { sequence: 3, hash },
      },
    ]);
  });

  it('audit repair puts a head right on the record, once, and verification is content with what it can follow', async () => {
    const keyward = (words: string) =>
      runInProcess(words.split(' '), {
        DATABASE_URL: pair.databaseUrl,
        KEYWARD_SECRET: TEST_SECRET,
      });
    await setHead(sql, 'broken', 1, HASH);
    const repair = 'audit repair --workspace broken';
    expect(await keyward(repair)).toMatchObject({
      code: 0,
      stdout: 'broken: repaired, goes on behind entry 3\n',
    });
    expect(await problem()).toBeNull();
    expect((await checkAuditLog(sql, 'broken')).notes).toEqual([
      'entry 4 records a repaired break',
    ]);
    const [entry] = await auditOf(pair.first, 'broken', 'broken');
    expect(entry).toMatchObject({ action: 'audit.repaired', actor: { id: 'cli' }, sequence: 5 });
    expect(await keyward(repair)).toMatchObject({ stdout: 'broken: nothing to repair\n' });
    await setHead(sql, 'broken', 1, HASH);
    await writeLog(pair.first, 'broken', 1);
    expect(await problem()).toMatch(/records that the log did not end/);
    expect(await keyward(repair)).toMatchObject({ stdout: /goes on behind entry/ });
    expect(await problem()).toBeNull();
  });
});
