import { describe, expect, it } from 'vitest';
import { PERMISSIONS } from '../../src/domain/caller.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

describe('a workspace that was deleted and made again', () => {
  const pair = usePair();

  /** A former tenant with a key and a management key, and the management key of the present one. */
  async function succession(workspaceId: string) {
    await putWorkspace(pair.first, workspaceId);
    const all = { permissions: PERMISSIONS, workspaceId };
    const former = await createManagementKey(pair.first, all);
    const key = await createKey(pair.first, { workspaceId, credits: { remaining: 5 } });
    await verdict(pair.first, key.key);
    await pair.flush();
    await pair.first.call('DELETE', `/v1/workspaces/${workspaceId}`);
    await putWorkspace(pair.second, workspaceId);
    const present = await createManagementKey(pair.first, all);
    return { former, key, present };
  }

  it('its present tenant can name nothing of the former one: no key, usage, string or management key', async () => {
    const { former, key, present } = await succession('reborn');
    const ask = (method: string, url: string, body?: object) =>
      pair.second.call(method, url, { as: present.key, ...(body && { body }) });
    const refused = [
      await ask('GET', `/v1/keys/${key.id}`),
      await ask('GET', `/v1/keys/${key.id}/usage`),
      await ask('PATCH', `/v1/keys/${key.id}`, { name: 'mine' }),
      await ask('POST', `/v1/keys/${key.id}/credits`, { operation: 'add', amount: 1 }),
      await ask('GET', `/v1/management-keys/${former.id}`),
      await ask('PATCH', `/v1/management-keys/${former.id}`, { name: 'mine' }),
      await ask('POST', `/v1/management-keys/${former.id}/rotate`, { graceSeconds: 0 }),
      await ask('POST', `/v1/management-keys/${former.id}/revoke`),
    ];
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 404));
    const managers = await ask('GET', '/v1/management-keys');
    expect(managers.body.data.map(({ id }: { id: string }) => id)).toEqual([present.id]);
    expect((await ask('GET', '/v1/keys')).body.data).toEqual([]);
    expect((await ask('POST', '/v1/keys/find', { key: key.key })).body.found).toBe(false);
    expect((await ask('POST', '/v1/verify', { key: key.key })).body.code).toBe('NOT_FOUND');
  });

  it('the operator reads usage, strings and management keys of a former tenant', async () => {
    const { former, key, present } = await succession('kept');
    const usage = await pair.second.call('GET', `/v1/keys/${key.id}/usage`);
    expect(usage.body).toMatchObject({ total: 1 });
    const read = await pair.second.call('GET', `/v1/management-keys/${former.id}`);
    expect(read.body).toMatchObject({ id: former.id, status: 'revoked' });
    const { body } = await pair.second.call('GET', '/v1/management-keys?workspaceId=kept');
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual([present.id, former.id]);
    const found = await pair.second.call('POST', '/v1/keys/find', { body: { key: key.key } });
    expect(found.body).toMatchObject({ key: { id: key.id }, secret: { endedBy: 'deletion' } });
  });

  it("the audit log of the present tenant begins with its workspace's creation, and the operator reads all of it", async () => {
    const { key, present } = await succession('logged');
    const list = (url: string, as?: string) => pair.second.call('GET', url, { ...(as && { as }) });
    const actions = (body: { data: { action: string }[] }) => body.data.map(({ action }) => action);
    const own = await list('/v1/audit-events', present.key);
    expect(actions(own.body)).toEqual(['management_key.created', 'workspace.created']);
    const former = await list(`/v1/audit-events?targetId=${key.id}`, present.key);
    expect(former.body.data).toEqual([]);
    const first = await list('/v1/audit-events?limit=1', present.key);
    const rest = await list(
      `/v1/audit-events?limit=1&cursor=${first.body.nextCursor}`,
      present.key,
    );
    expect([actions(rest.body), rest.body.nextCursor]).toEqual([['workspace.created'], null]);
    const head = await list('/v1/audit-events/head', present.key);
    expect(head.body.hash).toBe(own.body.data[0].hash);
    const all = await list('/v1/audit-events?workspaceId=logged');
    expect(actions(all.body)).toEqual([
      ...['management_key.created', 'workspace.created', 'workspace.deleted'],
      ...['key.created', 'management_key.created', 'workspace.created'],
    ]);
  });

  it('an Idempotency-Key of the former tenant replays nothing for the present one', async () => {
    const headers = { 'idempotency-key': 'same-for-both' };
    const body = { name: 'a key' };
    await putWorkspace(pair.first, 'replayed');
    const all = { permissions: PERMISSIONS, workspaceId: 'replayed' };
    const { key: former } = await createManagementKey(pair.first, all);
    const first = await pair.first.call('POST', '/v1/keys', { as: former, headers, body });
    await pair.first.call('DELETE', '/v1/workspaces/replayed');
    await putWorkspace(pair.first, 'replayed');
    const { key: as } = await createManagementKey(pair.first, all);
    const second = await pair.first.call('POST', '/v1/keys', { as, headers, body });
    expect(second.status).toBe(201);
    expect(second.body.id).not.toBe(first.body.id);
    expect(second.body.key).not.toBeNull();
  });
});
