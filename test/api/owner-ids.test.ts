import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import type { Answer } from '../support/instance.ts';
import { usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey } from '../support/sql-keys.ts';

const pair = usePair();
const RULE = 'must not be . or .., which paths of calls cannot contain';
/** Steps that every client takes out of a path, also percent-encoded. */
const DOT_STEPS = ['.', '..'];

const call = (method: string, url: string, body?: object): Promise<Answer> =>
  pair.first.call(method, url, { ...(body && { body }) });

it.each(DOT_STEPS)('no creation and no patch gives a key the owner %j', async (ownerId) => {
  const { id } = await createKey(pair.first);
  const answers = [
    await call('POST', '/v1/keys', { name: 'a key', ownerId }),
    await call('PATCH', `/v1/keys/${id}`, { ownerId }),
  ];
  for (const answer of answers) {
    expectProblem(answer, { status: 400, code: 'INVALID_REQUEST', pointer: '/body/ownerId' });
    expect(answer.body.errors).toEqual([{ pointer: '/body/ownerId', detail: RULE }]);
  }
});

it.each(DOT_STEPS)('an import refuses an item with the owner %j, and no other', async (ownerId) => {
  const keys = [ownerId, 'named'].map((owner) => {
    const value = createHash('sha256').update(`${ownerId} ${owner}`).digest('hex');
    return { name: owner, ownerId: owner, hash: { algorithm: 'sha256', value } };
  });
  const { body } = await call('POST', '/v1/keys/import', { keys });
  expect(body).toMatchObject({ created: 1, invalid: 1 });
  expect(body.results[0].errors).toEqual([{ pointer: '/ownerId', detail: RULE }]);
});

it.each(['...', '.a', 'a.', 'a..b', '..a', '. .'])(
  'an owner id that contains dots among other characters is accepted: %j',
  async (ownerId) => {
    const { id } = await createKey(pair.first, { ownerId });
    expect((await call('GET', `/v1/keys/${id}`)).body.ownerId).toBe(ownerId);
  },
);

it.each(DOT_STEPS)(
  'what is kept of an owner %j from before is erased once its keys have another owner',
  async (ownerId) => {
    const { id, key } = await createKey(pair.first);
    const sql = await connect(pair.databaseUrl);
    await sql.query('update keys set owner_id = $1 where id = $2', [ownerId, id]);
    await call('POST', '/v1/verify', { key, ip: '203.0.113.7' });
    await pair.flush();
    const listed = await call('GET', `/v1/keys?ownerId=${ownerId}`);
    expect(listed.body.data.map((it: { id: string }) => it.id)).toEqual([id]);
    expect(listed.body.data[0].usage.lastUsedFrom).not.toBeNull();
    expect((await call('PATCH', `/v1/keys/${id}`, { description: 'kept' })).status).toBe(200);
    expect((await call('PATCH', `/v1/keys/${id}`, { ownerId: `former ${id}` })).status).toBe(200);
    const path = `/v1/owners/${encodeURIComponent(`former ${id}`)}/personal-data`;
    expect((await call('DELETE', path)).status).toBe(204);
    expect((await call('GET', `/v1/keys/${id}`)).body.usage.lastUsedFrom).toBeNull();
  },
);
