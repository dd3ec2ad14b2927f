import { expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { putWorkspace, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey } from '../support/sql-keys.ts';

const pair = usePair();
const patch = (id: string, body: object) => pair.first.call('PATCH', `/v1/keys/${id}`, { body });
const put = (workspaceId: string, policies: object) =>
  putWorkspace(pair.first, workspaceId, policies);

it('a key without an expiry can still be changed where the workspace requires one since', async () => {
  await put('expiring', {});
  const { id } = await createKey(pair.first, { workspaceId: 'expiring' });
  await put('expiring', { requireExpiry: true });
  expect((await patch(id, { name: 'renamed' })).status).toBe(200);
  expect((await patch(id, { expiresAt: null })).status).toBe(200);
  expect((await patch(id, { expiresInSeconds: 60 })).status).toBe(200);
  const back = await patch(id, { expiresAt: null });
  expectProblem(back, { status: 400, code: 'INVALID_REQUEST', pointer: '/body/expiresAt' });
});

it('a key that lives longer than the workspace allows since can still be changed, but not extended', async () => {
  await put('short', {});
  const { id } = await createKey(pair.first, { workspaceId: 'short', expiresInSeconds: 9000 });
  await put('short', { maxLifetimeSeconds: 3600 });
  const { body } = await patch(id, { name: 'renamed' });
  expect(body.name).toBe('renamed');
  expect((await patch(id, { expiresAt: body.expiresAt })).status).toBe(200);
  const longer = await patch(id, { expiresInSeconds: 3601 });
  expectProblem(longer, { status: 400, code: 'INVALID_REQUEST', pointer: '/body/expiresAt' });
  expect((await patch(id, { expiresInSeconds: 3600 })).status).toBe(200);
});

it('an active key can be changed and extended where the workspace has as many keys as it may', async () => {
  await put('full', {});
  const { id } = await createKey(pair.first, { workspaceId: 'full', expiresInSeconds: 3600 });
  await put('full', { maxActiveKeys: 1 });
  expect((await patch(id, { name: 'renamed', expiresInSeconds: 7200 })).status).toBe(200);
  await put('full', { maxActiveKeys: 0 });
  expect((await patch(id, { expiresInSeconds: 9000 })).status).toBe(200);
});

it('scopes that the workspace no longer knows may be sent back, and no other such scope', async () => {
  await put('scoped', {});
  const { id } = await createKey(pair.first, { workspaceId: 'scoped', scopes: ['old'] });
  const scope = { scope: 'new', title: 'New', description: 'New.' };
  await put('scoped', { availableScopes: [scope] });
  expect((await patch(id, { scopes: ['new', 'old'] })).status).toBe(200);
  const unknown = await patch(id, { scopes: ['old', 'older'] });
  expectProblem(unknown, { status: 400, code: 'INVALID_REQUEST', pointer: '/body/scopes/1' });
});

it('a change never lowers the version of the rules that a key needs: a newer Keyward may have set it', async () => {
  const { id } = await createKey(pair.first);
  const client = await connect(pair.databaseUrl);
  const needs = async () => {
    const { rows } = await client.query(
      'select min_policy_version as version from keys where id = $1',
      [id],
    );
    return rows[0].version;
  };
  await patch(id, { rateLimits: [{ name: 'minute', limit: 1, windowSeconds: 60 }] });
  expect(await needs()).toBe(2);
  await patch(id, { rateLimits: [] });
  expect(await needs()).toBe(2);
  await client.query('update keys set min_policy_version = 99 where id = $1', [id]);
  expect((await patch(id, { name: 'renamed' })).status).toBe(200);
  expect(await needs()).toBe(99);
});
