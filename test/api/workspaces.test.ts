import { describe, expect, it } from 'vitest';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { warmKey } from '../support/warm.ts';

const DEFAULTS = {
  name: null,
  status: 'active',
  apiAccess: true,
  maxActiveKeys: null,
  requireExpiry: false,
  maxLifetimeSeconds: null,
  requireResource: false,
  availableScopes: null,
  immutableKeys: false,
  defaultPrefix: 'ak_live',
};

const POLICIES = {
  name: 'Acme Inc.',
  apiAccess: false,
  maxActiveKeys: 3,
  requireExpiry: true,
  maxLifetimeSeconds: 3600,
  requireResource: true,
  availableScopes: [{ scope: 'read', title: 'Read', description: 'Read all.' }],
  immutableKeys: true,
  defaultPrefix: 'acme_test',
};

describe('workspaces', () => {
  const pair = usePair();
  const read = async (id: string) => (await pair.second.call('GET', `/v1/workspaces/${id}`)).body;

  it('a PUT creates a workspace with defaults (201), and the same PUT again changes nothing (200)', async () => {
    const created = await pair.first.call('PUT', '/v1/workspaces/Acme.1-x_Y', { body: {} });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ id: 'Acme.1-x_Y', ...DEFAULTS });
    const again = await pair.second.call('PUT', '/v1/workspaces/Acme.1-x_Y', { body: {} });
    expect(again.status).toBe(200);
    expect(again.body).toEqual(created.body);
    expect(again.headers.etag).toBe(created.headers.etag);
    expect(await auditOf(pair.first, 'Acme.1-x_Y', 'Acme.1-x_Y')).toHaveLength(1);
  });

  it('a PUT without a body creates a workspace, too', async () => {
    expect((await pair.first.call('PUT', '/v1/workspaces/bodiless')).status).toBe(201);
  });

  it('a PUT replaces a workspace: what is left out gets its default again', async () => {
    await putWorkspace(pair.first, 'replaced', POLICIES);
    expect(await read('replaced')).toMatchObject(POLICIES);
    const replaced = await putWorkspace(pair.first, 'replaced', { name: 'Other' });
    expect(replaced.status).toBe(200);
    expect(await read('replaced')).toMatchObject({ ...DEFAULTS, name: 'Other' });
  });

  it('a PUT does not resume a suspended workspace', async () => {
    await putWorkspace(pair.first, 'held');
    await pair.first.call('POST', '/v1/workspaces/held/suspend');
    expect((await putWorkspace(pair.first, 'held', POLICIES)).body.status).toBe('suspended');
  });

  it('a PATCH changes the fields of a workspace that it names and keeps the rest, and null clears', async () => {
    await putWorkspace(pair.first, 'patched', POLICIES);
    const patch = { maxActiveKeys: null, availableScopes: null, name: null };
    const answer = await pair.first.call('PATCH', '/v1/workspaces/patched', { body: patch });
    expect(answer.body).toMatchObject({ ...POLICIES, ...patch });
    const [entry] = await auditOf(pair.first, 'patched', 'patched');
    expect(entry).toMatchObject({ action: 'workspace.updated', after: patch });
    expect(entry.before).toEqual({
      name: 'Acme Inc.',
      maxActiveKeys: 3,
      availableScopes: POLICIES.availableScopes,
    });
  });

  it('the prefix of management keys is refused as default prefix of a workspace', async () => {
    const options = { body: { defaultPrefix: 'kw' } };
    const put = await pair.first.call('PUT', '/v1/workspaces/reserved', options);
    const patch = await pair.first.call('PATCH', '/v1/workspaces/default', options);
    for (const { status, body } of [put, patch]) {
      expect({ status, pointer: body.errors[0].pointer }).toEqual({
        status: 400,
        pointer: '/body/defaultPrefix',
      });
    }
  });

  it('the list of workspaces shows every workspace exactly once, by id', async () => {
    for (const id of ['l-3', 'l-1', 'L-2', 'l_4', 'l.5']) await putWorkspace(pair.first, id);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const url: string = `/v1/workspaces?limit=2${cursor ? `&cursor=${cursor}` : ''}`;
      const { body } = await pair.second.call('GET', url);
      expect(body.data.length).toBeLessThanOrEqual(2);
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      cursor = body.nextCursor;
    } while (cursor);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(['default', 'l-3', 'l-1', 'L-2', 'l_4', 'l.5']));
  });

  it('a suspended workspace has no valid key, at once and everywhere, until it is resumed', async () => {
    await putWorkspace(pair.first, 'late');
    const { id, key } = await createKey(pair.first, { workspaceId: 'late' });
    const bystander = await createKey(pair.first);
    await warmKey(key, pair.first, pair.second);
    for (let round = 0; round < 2; round++) {
      const suspended = await pair.first.call('POST', '/v1/workspaces/late/suspend');
      expect(suspended.body.status).toBe('suspended');
      for (const instance of [pair.first, pair.second]) {
        expect(await verdict(instance, key)).toBe('WORKSPACE_SUSPENDED');
        expect(await verdict(instance, bystander.key)).toBe('VALID');
      }
    }
    await pair.second.call('POST', '/v1/workspaces/late/resume');
    expect(await verdict(pair.first, key)).toBe('VALID');
    const entries = await auditOf(pair.first, 'late', 'late');
    expect(entries.map(({ action }: { action: string }) => action)).toEqual([
      'workspace.resumed',
      'workspace.suspended',
      'workspace.created',
    ]);
    expect((await pair.first.call('GET', `/v1/keys/${id}?workspaceId=late`)).body.status).toBe(
      'active',
    );
  });

  it('a management key of one workspace sees and changes only that workspace', async () => {
    await putWorkspace(pair.first, 'mine');
    await putWorkspace(pair.first, 'foreign');
    const { key: as } = await createManagementKey(pair.first, {
      permissions: ['workspaces:read', 'workspaces:write'],
      workspaceId: 'mine',
    });
    const list = await pair.second.call('GET', '/v1/workspaces', { as });
    expect(list.body.data.map(({ id }: { id: string }) => id)).toEqual(['mine']);
    expect((await pair.second.call('GET', '/v1/workspaces/mine', { as })).status).toBe(200);
    for (const id of ['foreign', 'default', 'unborn']) {
      const url = `/v1/workspaces/${id}`;
      const answers = [
        await pair.second.call('GET', url, { as }),
        await pair.second.call('PUT', url, { as, body: POLICIES }),
        await pair.second.call('PATCH', url, { as, body: POLICIES }),
        await pair.second.call('POST', `${url}/suspend`, { as }),
        await pair.second.call('POST', `${url}/resume`, { as }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    }
    expect(await read('foreign')).toMatchObject(DEFAULTS);
    expect((await pair.first.call('GET', '/v1/workspaces/unborn')).status).toBe(404);
  });
});
