import { describe, expect, it } from 'vitest';
import { PERMISSIONS } from '../../src/domain/caller.ts';
import { connect } from '../support/database.ts';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { warmKey, warmManagementKey } from '../support/warm.ts';

describe('a deleted workspace', () => {
  const pair = usePair();
  const remove = async (id: string) =>
    (await pair.first.call('DELETE', `/v1/workspaces/${id}`)).status;

  it('a deleted workspace has no valid key, at once, everywhere, and nothing of it is found', async () => {
    await putWorkspace(pair.first, 'gone');
    const { id, key } = await createKey(pair.first, { workspaceId: 'gone' });
    const bystander = await createKey(pair.first);
    await warmKey(key, pair.second);
    expect(await remove('gone')).toBe(204);
    expect(await verdict(pair.second, key)).toBe('NOT_FOUND');
    expect(await verdict(pair.second, bystander.key)).toBe('VALID');
    for (const url of ['/v1/workspaces/gone', `/v1/keys/${id}?workspaceId=gone`]) {
      expect((await pair.second.call('GET', url)).status).toBe(404);
    }
    const { body } = await pair.second.call('GET', '/v1/workspaces');
    expect(body.data.map((one: { id: string }) => one.id)).not.toContain('gone');
    const created = await pair.second.call('POST', '/v1/keys', {
      body: { name: 'late', workspaceId: 'gone' },
    });
    expect(created.status).toBe(404);
    expect(await remove('gone')).toBe(404);
  });

  it('the management keys of a deleted workspace are refused at once, everywhere', async () => {
    await putWorkspace(pair.first, 'closed');
    const { key: as } = await createManagementKey(pair.first, {
      permissions: PERMISSIONS,
      workspaceId: 'closed',
    });
    await warmManagementKey(as, pair.second);
    expect(await remove('closed')).toBe(204);
    expect((await pair.second.call('GET', '/v1/keys', { as })).status).toBe(401);
    const verify = await pair.second.call('POST', '/v1/verify', { as, body: { key: 'x' } });
    expect(verify.status).toBe(401);
  });

  it('a deleted workspace leaves its audit entries and usage to callers of all workspaces', async () => {
    await putWorkspace(pair.first, 'past');
    const { id, key } = await createKey(pair.first, { workspaceId: 'past' });
    await verdict(pair.second, key);
    await pair.flush();
    await remove('past');
    const usage = await pair.first.call('GET', `/v1/keys/${id}/usage?workspaceId=past`);
    expect(usage.body).toMatchObject({ total: 1, byCode: { VALID: 1 } });
    const [entry] = await auditOf(pair.first, 'past', 'past');
    expect(entry).toMatchObject({ action: 'workspace.deleted', after: { keysEnded: 1 } });
    expect(await auditOf(pair.first, id, 'past')).toHaveLength(1);
  });

  it('the deletion of a workspace keeps who revoked a management key of it earlier, and changes the ETag of the others', async () => {
    await putWorkspace(pair.first, 'bound');
    const bound = { permissions: ['keys:read'], workspaceId: 'bound' } as const;
    const [revoked, live] = [
      await createManagementKey(pair.first, bound),
      await createManagementKey(pair.first, bound),
    ];
    const read = (id: string) => pair.second.call('GET', `/v1/management-keys/${id}`);
    const url = `/v1/management-keys/${revoked.id}/revoke`;
    await pair.first.call('POST', url, { headers: { 'keyward-actor': 'user:42' } });
    const [{ body }, { headers }] = [await read(revoked.id), await read(live.id)];
    expect(await remove('bound')).toBe(204);
    expect((await read(revoked.id)).body).toEqual(body);
    const ended = await read(live.id);
    expect(ended.body).toMatchObject({ status: 'revoked', revokedBy: { onBehalfOf: null } });
    expect(ended.headers.etag).not.toBe(headers.etag);
  });

  it('a deleted workspace that is put again starts empty and active, and revives no key and no management key', async () => {
    await putWorkspace(pair.first, 'phoenix', { maxActiveKeys: 7, name: 'Before' });
    const { id, key } = await createKey(pair.first, { workspaceId: 'phoenix' });
    const manager = await createManagementKey(pair.first, {
      permissions: ['keys:read'],
      workspaceId: 'phoenix',
    });
    await pair.first.call('POST', '/v1/workspaces/phoenix/suspend');
    await remove('phoenix');
    const again = await pair.second.call('PUT', '/v1/workspaces/phoenix', { body: {} });
    expect(again.status).toBe(201);
    expect(again.body).toMatchObject({ status: 'active', name: null, maxActiveKeys: null });
    expect(await verdict(pair.first, key)).toBe('NOT_FOUND');
    expect((await pair.first.call('GET', '/v1/keys?workspaceId=phoenix')).body.data).toEqual([]);
    expect((await pair.first.call('GET', `/v1/keys/${id}?workspaceId=phoenix`)).status).toBe(404);
    expect((await pair.first.call('GET', '/v1/keys', { as: manager.key })).status).toBe(401);
    const [entry] = await auditOf(pair.first, 'phoenix', 'phoenix');
    expect(entry).toMatchObject({ action: 'workspace.created', before: null });
    const fresh = await createKey(pair.first, { workspaceId: 'phoenix' });
    expect(await verdict(pair.second, fresh.key)).toBe('VALID');
  });

  it('a key that is created while its workspace is deleted ends with it', async () => {
    await putWorkspace(pair.first, 'racy');
    const release = await holdAuditBack('racy');
    const [key, manager] = makeBoth('racy');
    await untilWaiting(2);
    const removal = pair.second.call('DELETE', '/v1/workspaces/racy');
    await untilWaiting(3);
    await release();
    expect((await removal).status).toBe(204);
    await pair.second.call('PUT', '/v1/workspaces/racy');
    expect(await verdict(pair.second, (await key).body.key)).toBe('NOT_FOUND');
    const as = (await manager).body.key;
    expect((await pair.second.call('GET', '/v1/keys', { as })).status).toBe(401);
  });

  it('nothing can be created in a workspace while it is being deleted, so nothing survives until it is put again', async () => {
    await putWorkspace(pair.first, 'closing');
    const release = await holdAuditBack('closing');
    const removal = pair.second.call('DELETE', '/v1/workspaces/closing');
    await untilWaiting(1);
    const made = makeBoth('closing');
    await untilWaiting(3);
    await release();
    expect((await removal).status).toBe(204);
    expect((await Promise.all(made)).map(({ status }) => status)).toEqual([404, 404]);
    await pair.second.call('PUT', '/v1/workspaces/closing');
    for (const url of ['/v1/keys', '/v1/management-keys']) {
      const { body } = await pair.first.call('GET', `${url}?workspaceId=closing`);
      expect(body.data).toEqual([]);
    }
  });

  it('the workspace `default` cannot be deleted', async () => {
    const { status, body } = await pair.first.call('DELETE', '/v1/workspaces/default');
    expect({ status, code: body.code }).toEqual({ status: 409, code: 'DEFAULT_WORKSPACE' });
  });

  const makeBoth = (workspaceId: string) => {
    const body = { name: 'in a race', workspaceId };
    const managed = { ...body, permissions: ['keys:read'] };
    return [
      pair.first.call('POST', '/v1/keys', { body }),
      pair.first.call('POST', '/v1/management-keys', { body: managed }),
    ] as const;
  };

  /** Makes every change of the workspace wait with its audit entry, just before its commit. */
  async function holdAuditBack(id: string): Promise<() => Promise<unknown>> {
    const blocker = await connect(pair.databaseUrl);
    await blocker.query('begin');
    await blocker.query('select from audit_heads where workspace_id = $1 for update', [id]);
    return () => blocker.query('commit');
  }

  /** Returns once that number of statements of this database wait for a lock. */
  async function untilWaiting(count: number): Promise<void> {
    const observer = await connect(pair.databaseUrl);
    for (;;) {
      const { rows } = await observer.query<{ waiting: number }>(
        `select count(*)::int as waiting from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`,
      );
      if ((rows[0]?.waiting ?? 0) >= count) return;
    }
  }
});
