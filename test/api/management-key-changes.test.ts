import { beforeAll, describe, expect, it } from 'vitest';
import { readManagementKeyOptions } from '../../src/management/commands.ts';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

describe('management keys', () => {
  const pair = usePair();
  beforeAll(() => putWorkspace(pair.first, 'acme'));

  const patch = (id: string, body: object, as?: string) =>
    pair.first.call('PATCH', `/v1/management-keys/${id}`, { body, ...(as && { as }) });
  const listKeys = (as: string, query = '') =>
    pair.second.call('GET', `/v1/keys${query}`, { as }).then(({ status }) => status);

  it('a management key is for `default` unless null says that it is for every workspace', async () => {
    const made = async (more: object) => {
      const body = { name: 'a service', permissions: ['keys:read'], ...more };
      return (await pair.first.call('POST', '/v1/management-keys', { body })).body;
    };
    const [plain, everywhere] = [await made({}), await made({ workspaceId: null })];
    expect([plain.workspaceId, everywhere.workspaceId]).toEqual(['default', null]);
    expect(await listKeys(plain.key, '?workspaceId=acme')).toBe(404);
    expect(await listKeys(everywhere.key, '?workspaceId=acme')).toBe(200);
  });

  it('the command line makes a management key for every workspace only if told to', () => {
    expect(readManagementKeyOptions({ name: 'a' }).workspaceId).toBe('default');
    expect(readManagementKeyOptions({ name: 'a', workspace: 'acme' }).workspaceId).toBe('acme');
    const everywhere = readManagementKeyOptions({ name: 'a', 'all-workspaces': true });
    expect(everywhere.workspaceId).toBeNull();
    const both = { name: 'a', workspace: 'acme', 'all-workspaces': true };
    expect(() => readManagementKeyOptions(both)).toThrow(/either --workspace/);
  });

  it('management:read reads management keys and changes none, and management:write reads none', async () => {
    const reader = await createManagementKey(pair.first, { permissions: ['management:read'] });
    const writer = await createManagementKey(pair.first, { permissions: ['management:write'] });
    const url = `/v1/management-keys/${writer.id}`;
    expect((await pair.second.call('GET', url, { as: reader.key })).status).toBe(200);
    expect((await pair.second.call('POST', `${url}/revoke`, { as: reader.key })).status).toBe(403);
    expect((await pair.second.call('GET', url, { as: writer.key })).status).toBe(403);
  });

  it('a management key can be renamed and loses permissions everywhere at once, with an audit entry', async () => {
    const permissions = ['keys:read', 'audit:read'] as const;
    const { id, key } = await createManagementKey(pair.first, { permissions });
    expect(await listKeys(key)).toBe(200);
    const answer = await patch(id, { name: 'renamed', permissions: ['audit:read'] });
    expect(answer.body).toMatchObject({ id, name: 'renamed', permissions: ['audit:read'] });
    expect(await listKeys(key)).toBe(403);
    const [entry] = await auditOf(pair.first, id);
    expect(entry).toMatchObject({
      action: 'management_key.updated',
      before: { name: 'a management key', permissions },
      after: { name: 'renamed', permissions: ['audit:read'] },
    });
  });

  it('an expired management key works again once its expiry is extended, and can be rotated', async () => {
    const options = { permissions: ['keys:read'] as const, expiresInSeconds: 60 };
    const { id, key } = await createManagementKey(pair.first, options);
    pair.advance(61_000);
    const rotate = () =>
      pair.first.call('POST', `/v1/management-keys/${id}/rotate`, { body: { graceSeconds: 60 } });
    expect((await rotate()).body.code).toBe('KEY_EXPIRED');
    expect((await patch(id, { expiresAt: null })).body).toMatchObject({ status: 'active' });
    expect(await listKeys(key)).toBe(200);
    expect((await rotate()).status).toBe(200);
  });

  it('no change gives a management key permissions, nor extends one that may do more than the caller', async () => {
    const options = { permissions: ['keys:read'] as const, expiresInSeconds: 600 };
    const { id } = await createManagementKey(pair.first, options);
    const more = await patch(id, { permissions: ['keys:read', 'keys:write'] });
    expect(more.body.errors).toMatchObject([{ pointer: '/body/permissions/1' }]);
    const manager = await createManagementKey(pair.first, { permissions: ['management:write'] });
    expect((await patch(id, { expiresAt: null }, manager.key)).status).toBe(403);
    expect((await patch(id, { name: 'weaker' }, manager.key)).status).toBe(204);
  });

  it('a revoked management key cannot be changed, and one of another workspace is not found', async () => {
    const { id } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    const bound = await createManagementKey(pair.first, {
      permissions: ['management:write', 'keys:read'],
      workspaceId: 'acme',
    });
    expect((await patch(id, { name: 'x' }, bound.key)).status).toBe(404);
    await pair.first.call('POST', `/v1/management-keys/${id}/revoke`);
    expect((await patch(id, { name: 'x' })).body.code).toBe('KEY_REVOKED');
  });

  it('suspending, resuming and revoking take a reason into the audit log and refuse any other body', async () => {
    const { id } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    const reason = { reason: 'unpaid', note: 'Invoice 7' };
    for (const [target, path, workspaceId] of [
      ['acme', '/v1/workspaces/acme/suspend', 'acme'],
      ['acme', '/v1/workspaces/acme/resume', 'acme'],
      [id, `/v1/management-keys/${id}/revoke`, 'default'],
    ] as const) {
      for (const body of [{ reasons: 'x' }, { reason: 7 }, [], 'a text']) {
        expect((await pair.first.call('POST', path, { body })).status).toBe(400);
      }
      expect((await pair.first.call('POST', path, { body: reason })).status).toBe(200);
      const [entry] = await auditOf(pair.first, target, workspaceId);
      expect(entry.after).toMatchObject(reason);
    }
  });

  it('a string that is retiring never outlives the key, neither at once nor after a later change', async () => {
    const { id, key } = await createKey(pair.first, { expiresInSeconds: 30 });
    const body = { graceSeconds: 3600 };
    const rotated = (await pair.first.call('POST', `/v1/keys/${id}/rotate`, { body })).body;
    const shown = ({ secrets }: { secrets: { status: string; validUntil: string }[] }) =>
      secrets.find(({ status }) => status === 'retiring')?.validUntil;
    expect(shown(rotated)).toBe(rotated.expiresAt);
    const verified = await pair.second.call('POST', '/v1/verify', { body: { key } });
    expect(verified.body.rotation).toEqual({ retiring: true, validUntil: rotated.expiresAt });
    const later = { expiresInSeconds: 10 };
    const changed = (await pair.first.call('PATCH', `/v1/keys/${id}`, { body: later })).body;
    expect(shown(changed)).toBe(changed.expiresAt);
  });
});
