import { expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { untilWaiting } from '../support/locks.ts';
import { metric } from '../support/metrics.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { pauseHashing } from '../support/paused-hashing.ts';
import { expectProblem } from '../support/refusals.ts';

const pair = usePair();
const permissions = ['keys:read'] as const;
const runs = () => metric(pair.first, 'keyward_argon2_runs_total');
const rotate = (id: string, headers: Record<string, string> = {}) =>
  pair.first.call('POST', `/v1/management-keys/${id}/rotate`, {
    body: { graceSeconds: 3600 },
    headers,
  });

it('a rotation of a management key that has changed since it was read is refused and costs no argon2', async () => {
  const { id } = await createManagementKey(pair.first, { permissions });
  const url = `/v1/management-keys/${id}`;
  const { headers } = await pair.first.call('GET', url);
  await pair.first.call('PATCH', url, { body: { name: 'changed' } });
  const before = await runs();
  const answer = await rotate(id, { 'if-match': String(headers.etag) });
  expectProblem(answer, { status: 412, code: 'PRECONDITION_FAILED' });
  expect(await runs()).toBe(before);
});

it('a rotation of a management key during the grace of another is refused and costs no argon2', async () => {
  const { id } = await createManagementKey(pair.first, { permissions });
  expect((await rotate(id)).status).toBe(200);
  const before = await runs();
  expectProblem(await rotate(id), { status: 409, code: 'ROTATION_UNDER_WAY' });
  expect(await runs()).toBe(before);
});

it('a rotation is refused of a management key that was revoked while its new string was hashed', async () => {
  const { id } = await createManagementKey(pair.first, { permissions });
  const hashing = pauseHashing(pair.first);
  const rotation = rotate(id);
  await hashing.begun;
  await pair.second.call('POST', `/v1/management-keys/${id}/revoke`);
  hashing.resume();
  expectProblem(await rotation, { status: 409, code: 'KEY_REVOKED' });
});

it('a rotation is refused of a management key that was rotated or changed while its new string was hashed', async () => {
  const { id } = await createManagementKey(pair.first, { permissions });
  const { headers } = await pair.first.call('GET', `/v1/management-keys/${id}`);
  const hashing = pauseHashing(pair.first, 2);
  const plain = rotate(id);
  const conditional = rotate(id, { 'if-match': String(headers.etag) });
  await hashing.begun;
  const url = `/v1/management-keys/${id}/rotate`;
  expect((await pair.second.call('POST', url, { body: { graceSeconds: 60 } })).status).toBe(200);
  hashing.resume();
  expectProblem(await plain, { status: 409, code: 'ROTATION_UNDER_WAY' });
  expectProblem(await conditional, { status: 412, code: 'PRECONDITION_FAILED' });
});

it('no management key is made for a workspace that was deleted while its string was hashed', async () => {
  await putWorkspace(pair.first, 'brief');
  const hashing = pauseHashing(pair.first);
  const body = { name: 'late', permissions, workspaceId: 'brief' };
  const creation = pair.first.call('POST', '/v1/management-keys', { body });
  await hashing.begun;
  expect((await pair.second.call('DELETE', '/v1/workspaces/brief')).status).toBe(204);
  hashing.resume();
  expectProblem(await creation, { status: 404, code: 'NOT_FOUND' });
});

it.each([
  ['change', 'PATCH', '', 409],
  ['revocation', 'POST', '/revoke', 200],
])(
  'a %s of a management key that waits for its revocation finds it revoked, and changes nothing',
  async (_what, method, path, status) => {
    const { id } = await createManagementKey(pair.first, { permissions });
    const client = await connect(pair.databaseUrl);
    await client.query('begin');
    await client.query(
      `update management_keys set revoked_at = '2020-01-01T00:00:00Z', revoked_by = $2,
              revision = revision + 1 where id = $1`,
      [id, { type: 'root', id: 'root', onBehalfOf: 'first' }],
    );
    const body = method === 'PATCH' ? { name: 'too late' } : {};
    const call = pair.first.call(method, `/v1/management-keys/${id}${path}`, { body });
    await untilWaiting(pair.databaseUrl, 1);
    await client.query('commit');
    expect((await call).status).toBe(status);
    const { headers, body: after } = await pair.first.call('GET', `/v1/management-keys/${id}`);
    expect(headers.etag).toBe('"2"');
    expect(after).toMatchObject({
      name: 'a management key',
      revokedAt: '2020-01-01T00:00:00.000Z',
      revokedBy: { onBehalfOf: 'first' },
    });
  },
);

it('management keys that were made in the same instant are listed once each, whatever the pages', async () => {
  await putWorkspace(pair.first, 'same');
  const ids: string[] = [];
  for (let i = 0; i < 7; i++) {
    ids.push((await createManagementKey(pair.first, { permissions, workspaceId: 'same' })).id);
  }
  const client = await connect(pair.databaseUrl);
  await client.query(`update management_keys set created_at = now() where workspace_id = 'same'`);
  await client.query(
    `update management_keys set created_at = date_trunc('second', created_at)
      where workspace_id = 'same'`,
  );
  for (const limit of [1, 2, 7]) {
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: string = cursor && `&cursor=${cursor}`;
      const url = `/v1/management-keys?workspaceId=same&limit=${limit}${page}`;
      const { body } = await pair.first.call('GET', url);
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      cursor = body.nextCursor;
    }
    const byCode = (a: string, b: string) => (a < b ? 1 : -1);
    expect(seen.toSorted(byCode)).toEqual(ids.toSorted(byCode));
  }
});
