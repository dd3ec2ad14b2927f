import { beforeAll, describe, expect, it } from 'vitest';
import { clientOf, type KeywardClient, verdictOf } from '../support/client.ts';
import {
  at,
  makeKey,
  makeWorkspace,
  ok,
  refusal,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';

/** One test for each call: docs/features.md names them. */
let program: SharedProgram;
let root: KeywardClient;
beforeAll(async () => {
  program = await startSharedProgram();
  root = program.root;
  return program.end;
});

function page<Query extends object>(query: Query) {
  return { params: { query: { limit: 200, ...query } } };
}

const NEWEST = { params: { query: { sort: '-createdAt' as const, limit: 50 } } };

describe('workspaces, call by call', () => {
  it('putWorkspace creates or replaces a workspace, so that provisioning can be repeated', async () => {
    const body = { name: 'Acme', maxActiveKeys: 1 };
    const put = () => root.PUT('/v1/workspaces/{id}', { ...at('acme'), body });
    expect((await put()).response.status).toBe(201);
    expect((await put()).response.status).toBe(200);
    await makeKey(root, { workspaceId: 'acme' });
    const another = { name: 'one too many', workspaceId: 'acme' };
    expect(await refusal(root.POST('/v1/keys', { body: another }))).toBe('409 KEY_LIMIT_REACHED');
  });

  it('getWorkspace shows the policies of a workspace', async () => {
    const id = await makeWorkspace(root, { maxActiveKeys: 7 });
    const read = await ok(root.GET('/v1/workspaces/{id}', at(id)));
    expect(read).toMatchObject({ id, status: 'active', maxActiveKeys: 7, apiAccess: true });
  });

  it('listWorkspaces lists every workspace', async () => {
    const id = await makeWorkspace(root);
    const { data } = await ok(root.GET('/v1/workspaces', page({})));
    expect(data.map((workspace) => workspace.id)).toEqual(expect.arrayContaining(['default', id]));
  });

  it('updateWorkspace changes one policy and leaves the rest as they were', async () => {
    const id = await makeWorkspace(root, { maxActiveKeys: 7 });
    const body = { requireExpiry: true };
    const changed = await ok(root.PATCH('/v1/workspaces/{id}', { ...at(id), body }));
    expect(changed).toMatchObject({ maxActiveKeys: 7, requireExpiry: true });
    const key = { name: 'for ever', workspaceId: id };
    expect(await refusal(root.POST('/v1/keys', { body: key }))).toBe('400 INVALID_REQUEST');
  });

  it('suspendWorkspace stops all keys of a workspace, and resumeWorkspace makes them valid again', async () => {
    const id = await makeWorkspace(root);
    const { key } = await makeKey(root, { workspaceId: id });
    await ok(root.POST('/v1/workspaces/{id}/suspend', at(id)));
    expect(await verdictOf(root, key)).toBe('WORKSPACE_SUSPENDED');
    await ok(root.POST('/v1/workspaces/{id}/resume', at(id)));
    expect(await verdictOf(root, key)).toBe('VALID');
  });

  it('deleteWorkspace ends all keys of a workspace for good', async () => {
    const id = await makeWorkspace(root);
    const { key } = await makeKey(root, { workspaceId: id });
    const { response } = await root.DELETE('/v1/workspaces/{id}', at(id));
    expect(response.status).toBe(204);
    expect(await verdictOf(root, key)).toBe('NOT_FOUND');
    await ok(root.PUT('/v1/workspaces/{id}', { ...at(id), body: {} }));
    expect(await verdictOf(root, key)).toBe('NOT_FOUND');
  });
});

describe('management keys, call by call', () => {
  const make = (permissions: ('keys:read' | 'keys:write' | 'keys:verify')[]) =>
    ok(root.POST('/v1/management-keys', { body: { name: 'a service', permissions } }));
  const holding = (key: string | null) => clientOf(program.url, key ?? 'none');

  it('createManagementKey lets a service do what it is permitted, and nothing else', async () => {
    const { key } = await make(['keys:read']);
    await ok(holding(key).GET('/v1/keys', NEWEST));
    const verify = holding(key).POST('/v1/verify', { body: { key: 'ak_live_any' } });
    expect(await refusal(verify)).toBe('403 FORBIDDEN');
  });

  it('listManagementKeys and getManagementKey show keys without their strings', async () => {
    const { id, key } = await make(['keys:verify']);
    const list = await ok(root.GET('/v1/management-keys', page({})));
    expect(list.data.map((one) => one.id)).toContain(id);
    const read = await ok(root.GET('/v1/management-keys/{id}', at(id)));
    expect(read).toMatchObject({ id, permissions: ['keys:verify'] });
    expect(JSON.stringify([list, read])).not.toContain(key);
  });

  it('updateManagementKey takes permissions away from the key at once', async () => {
    const { id, key } = await make(['keys:read', 'keys:write']);
    const body = { name: 'reader', permissions: ['keys:read' as const] };
    const changed = await ok(root.PATCH('/v1/management-keys/{id}', { ...at(id), body }));
    expect(changed).toMatchObject(body);
    await ok(holding(key).GET('/v1/keys', NEWEST));
    expect(await refusal(holding(key).POST('/v1/keys', { body: { name: 'x' } }))).toBe(
      '403 FORBIDDEN',
    );
  });

  it('rotateManagementKey without a grace period replaces the string at once', async () => {
    const { id, key } = await make(['keys:read']);
    const body = { graceSeconds: 0 };
    const rotated = await ok(root.POST('/v1/management-keys/{id}/rotate', { ...at(id), body }));
    expect(await refusal(holding(key).GET('/v1/keys', NEWEST))).toBe('401 UNAUTHENTICATED');
    await ok(holding(rotated.key).GET('/v1/keys', NEWEST));
  });

  it('revokeManagementKey locks its holder out at once', async () => {
    const { id, key } = await make(['keys:read']);
    await ok(holding(key).GET('/v1/keys', NEWEST));
    await ok(root.POST('/v1/management-keys/{id}/revoke', at(id)));
    expect(await refusal(holding(key).GET('/v1/keys', NEWEST))).toBe('401 UNAUTHENTICATED');
  });
});

describe('the audit log, call by call', () => {
  it('listAuditEvents shows what changed, by whom and on whose behalf', async () => {
    const { id } = await makeKey(root);
    const headers = { 'keyward-actor': 'user:42' };
    await ok(root.PATCH('/v1/keys/{id}', { ...at(id), body: { name: 'renamed' }, headers }));
    const { data } = await ok(root.GET('/v1/audit-events', page({ targetId: id })));
    expect(data.map(({ action }) => action)).toEqual(['key.updated', 'key.created']);
    expect(data[0]).toMatchObject({
      actor: { type: 'root', onBehalfOf: 'user:42' },
      before: { name: 'a key' },
      after: { name: 'renamed' },
    });
  });

  it('getAuditHead returns the newest entry, to be stored elsewhere', async () => {
    const id = await makeWorkspace(root);
    await makeKey(root, { workspaceId: id });
    const of = { workspaceId: id };
    const head = await ok(root.GET('/v1/audit-events/head', { params: { query: of } }));
    const { data } = await ok(root.GET('/v1/audit-events', page(of)));
    expect(data[0]).toMatchObject({ sequence: head.sequence, hash: head.hash });
  });
});
