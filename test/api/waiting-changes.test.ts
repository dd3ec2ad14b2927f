import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { untilWaiting } from '../support/locks.ts';
import { putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const FIRST = { type: 'root', id: 'root', onBehalfOf: 'first' };

describe('a change that waits for another', () => {
  const pair = usePair();

  /** Makes a call while SQL has changed its row and not committed yet. */
  async function callDuring(sql: string, values: unknown[], call: [string, string, object?]) {
    const client = await connect(pair.databaseUrl);
    await client.query('begin');
    await client.query(sql, values);
    const [method, url, body = {}] = call;
    const answer = pair.first.call(method, url, { body });
    await untilWaiting(pair.databaseUrl, 1);
    await client.query('commit');
    return answer;
  }

  it.each<[string, string, string, object, number]>([
    ['change', 'PATCH', '', { name: 'too late' }, 409],
    ['change of its expiry', 'PATCH', '', { expiresInSeconds: 60 }, 409],
    ['rotation', 'POST', '/rotate', { graceSeconds: 0 }, 409],
    ['change of its credits', 'POST', '/credits', { operation: 'add', amount: 5 }, 409],
    ['second revocation', 'POST', '/revoke', { reason: 'second' }, 200],
  ])(
    'a %s that waits for the revocation of its key finds it revoked and changes nothing',
    async (_what, method, path, body, status) => {
      const { id } = await createKey(pair.first, { credits: { remaining: 1 } });
      const { headers } = await pair.first.call('GET', `/v1/keys/${id}`);
      const revoke = `update keys set revoked_at = '2020-01-01T00:00:00Z', revoked_by = $2,
                             revision = revision + 1 where id = $1`;
      const answer = await callDuring(revoke, [id, FIRST], [method, `/v1/keys/${id}${path}`, body]);
      expect([answer.status, answer.body.code]).toEqual([
        status,
        status === 409 ? 'KEY_REVOKED' : undefined,
      ]);
      const after = await pair.first.call('GET', `/v1/keys/${id}`);
      expect(after.body).toMatchObject({
        name: 'a key',
        revokedAt: '2020-01-01T00:00:00.000Z',
        revokedBy: { onBehalfOf: 'first' },
        revokeReason: null,
        credits: { remaining: 1 },
        secrets: [{ status: 'current' }],
      });
      const revision = Number(JSON.parse(String(headers.etag)));
      expect(after.headers.etag).toBe(`"${revision + 1}"`);
    },
  );

  it.each<[string, string, string, object]>([
    ['change', 'PATCH', '', { name: 'too late' }],
    ['suspension', 'POST', '/suspend', {}],
    ['resumption', 'POST', '/resume', {}],
    ['second deletion', 'DELETE', '', {}],
  ])(
    'a %s of a workspace that waits for its deletion finds it deleted',
    async (what, method, path, body) => {
      const workspace = `of-${what.replace(' ', '-')}`;
      await putWorkspace(pair.first, workspace, { name: 'before' });
      const end = `update workspaces set deleted_at = now(), revision = revision + 1 where id = $1`;
      const url = `/v1/workspaces/${workspace}${path}`;
      const answer = await callDuring(end, [workspace], [method, url, body]);
      expect(answer.status).toBe(404);
      const client = await connect(pair.databaseUrl);
      const { rows } = await client.query(
        'select name, status, revision::int as revision from workspaces where id = $1',
        [workspace],
      );
      expect(rows).toEqual([{ name: 'before', status: 'active', revision: 2 }]);
    },
  );

  it('a change that was made under If-Match is refused if it waited for another one', async () => {
    const { id } = await createKey(pair.first);
    const { headers } = await pair.first.call('GET', `/v1/keys/${id}`);
    const client = await connect(pair.databaseUrl);
    await client.query('begin');
    await client.query(`update keys set name = 'other', revision = revision + 1 where id = $1`, [
      id,
    ]);
    const change = pair.first.call('PATCH', `/v1/keys/${id}`, {
      body: { description: 'mine' },
      headers: { 'if-match': String(headers.etag) },
    });
    await untilWaiting(pair.databaseUrl, 1);
    await client.query('commit');
    expect((await change).status).toBe(412);
  });

  it('neither a suspension nor a resumption waits for those who use the workspace as it is', async () => {
    await putWorkspace(pair.first, 'used');
    const client = await connect(pair.databaseUrl);
    await client.query('begin');
    await client.query(`select from workspaces where id = 'used' for key share`);
    for (const [path, status] of [
      ['suspend', 'suspended'],
      ['resume', 'active'],
    ]) {
      const { body } = await pair.first.call('POST', `/v1/workspaces/used/${path}`, { body: {} });
      expect(body.status).toBe(status);
    }
    await client.query('commit');
  });
});
