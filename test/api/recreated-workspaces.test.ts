import { expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const pair = usePair();

it('a workspace that is created again is younger than its deletion, whichever clock said when that was', async () => {
  await putWorkspace(pair.first, 'phoenix');
  const { id } = await createKey(pair.first, { workspaceId: 'phoenix' });
  await pair.first.call('DELETE', '/v1/workspaces/phoenix');
  const client = await connect(pair.databaseUrl);
  const ahead = '2999-01-01T00:00:00.000Z';
  await client.query(`update workspaces set deleted_at = $1 where id = 'phoenix'`, [ahead]);
  const { body } = await putWorkspace(pair.second, 'phoenix');
  expect(body.createdAt).toBe('2999-01-01T00:00:00.001Z');
  const tenant = await createManagementKey(pair.first, {
    permissions: ['usage:read'],
    workspaceId: 'phoenix',
  });
  const usage = await pair.second.call('GET', `/v1/keys/${id}/usage`, { as: tenant.key });
  expect(usage.status).toBe(404);
});

it('a workspace that is created again says when that was, and has a new ETag', async () => {
  const first = await putWorkspace(pair.first, 'twice', { name: 'once' });
  await pair.first.call('DELETE', '/v1/workspaces/twice');
  const again = await putWorkspace(pair.first, 'twice');
  expect(again.status).toBe(201);
  expect(Date.parse(again.body.createdAt)).toBeGreaterThan(Date.parse(first.body.createdAt));
  expect(again.body).toMatchObject({ name: null, status: 'active' });
  expect(again.headers.etag).not.toBe(first.headers.etag);
});
