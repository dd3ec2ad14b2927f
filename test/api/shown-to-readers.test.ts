import { beforeAll, describe, expect, it } from 'vitest';
import { PERMISSIONS, type Permission } from '../../src/domain/caller.ts';
import { createFixture, type Fixture, MUTATING_CALLS } from '../support/mutating-calls.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

/** Changes of what is there, with what their callers may do, and what they must have to see it. */
const CHANGES: [string, Permission, Permission][] = [
  ['updateKey', 'keys:write', 'keys:read'],
  ['revokeKey', 'keys:revoke', 'keys:read'],
  ['changeCredits', 'keys:write', 'keys:read'],
  ['putWorkspace', 'workspaces:write', 'workspaces:read'],
  ['updateWorkspace', 'workspaces:write', 'workspaces:read'],
  ['suspendWorkspace', 'workspaces:write', 'workspaces:read'],
  ['resumeWorkspace', 'workspaces:write', 'workspaces:read'],
  ['updateManagementKey', 'management:write', 'management:read'],
  ['revokeManagementKey', 'management:write', 'management:read'],
];

describe('what a change shows', () => {
  const pair = usePair();
  let count = 0;
  const prepare = async (operation: string) => {
    const fixture: Fixture = await createFixture(pair.first, `shown-${++count}`);
    const call = await MUTATING_CALLS[operation]?.(fixture);
    if (!call) throw new Error(`nothing is known of ${operation}`);
    return call;
  };
  const caller = async (permissions: readonly Permission[], workspaceId: string | null = null) =>
    (await createManagementKey(pair.first, { permissions, workspaceId })).key;

  it.each(CHANGES)(
    '%s with %s alone answers 204 with the entity tag, and with %s the state',
    async (operation, permission, reading) => {
      for (const permissions of [[permission], [permission, reading]]) {
        const { method, url, body, resourceUrl } = await prepare(operation);
        const as = await caller(permissions);
        const headers = { 'idempotency-key': 'the-same' };
        const options = { as, headers, ...(body && { body }) };
        for (const answer of [
          await pair.second.call(method, url, options),
          await pair.second.call(method, url, options),
        ]) {
          const { headers: shown } = await pair.first.call('GET', resourceUrl ?? '');
          expect(answer.headers.etag).toBe(shown.etag);
          if (permissions.length === 1) expect([answer.status, answer.text]).toEqual([204, '']);
          else expect(answer.body).toMatchObject({ id: expect.any(String) });
        }
      }
    },
  );

  it('a change of nothing shows a caller without keys:read nothing', async () => {
    const { id } = await createKey(pair.first, { metadata: { secret: 'plan' } });
    const as = await caller(['keys:write', 'keys:revoke']);
    const answer = await pair.second.call('PATCH', `/v1/keys/${id}`, { as, body: {} });
    expect([answer.status, answer.text]).toEqual([204, '']);
  });

  it('a replayed change shows what its caller may read now, not what it might have read then', async () => {
    const { id } = await createKey(pair.first);
    const manager = await createManagementKey(pair.first, {
      permissions: ['keys:read', 'keys:write'],
    });
    const options = {
      as: manager.key,
      body: { name: 'renamed' },
      headers: { 'idempotency-key': 'narrowed' },
    };
    const change = () => pair.second.call('PATCH', `/v1/keys/${id}`, options);
    expect((await change()).status).toBe(200);
    const narrower = { permissions: ['keys:write'] };
    await pair.first.call('PATCH', `/v1/management-keys/${manager.id}`, { body: narrower });
    const replayed = await change();
    expect([replayed.status, replayed.text]).toEqual([204, '']);
    expect(replayed.headers['idempotent-replayed']).toBe('true');
  });

  describe('a bulk revocation', () => {
    const bulk = (as: string, body: object) =>
      pair.second.call('POST', '/v1/keys/bulk-revoke', { as, body });

    it('a dry run of a bulk revocation requires keys:read, since it lists ids', async () => {
      const as = await caller(['keys:revoke']);
      expect((await bulk(as, { ownerId: 'someone', dryRun: true })).status).toBe(403);
      const reader = await caller(['keys:revoke', 'keys:read']);
      expect((await bulk(reader, { ownerId: 'someone', dryRun: true })).status).toBe(200);
    });

    it('a bulk revocation by owner lists no ids to a caller without keys:read, and one by ids those that it named', async () => {
      const as = await caller(['keys:revoke']);
      const [one, other] = [
        await createKey(pair.first, { ownerId: 'owner-1' }),
        await createKey(pair.first, { ownerId: 'owner-2' }),
      ];
      const byOwner = await bulk(as, { ownerId: 'owner-1' });
      expect(byOwner.body).toMatchObject({ revoked: 1, keyIds: [] });
      expect(byOwner.text).not.toContain(one.id);
      expect((await bulk(as, { ids: [other.id] })).body.keyIds).toEqual([other.id]);
    });
  });
});

describe('the audit log of `default`', () => {
  const pair = usePair();
  beforeAll(() => putWorkspace(pair.first, 'acme'));

  it('a caller that is bound to `default` sees the management keys of its own workspace alone, and the operator all', async () => {
    const reader = await createManagementKey(pair.first, {
      permissions: PERMISSIONS,
      workspaceId: 'default',
    });
    const everywhere = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    await pair.first.call('POST', `/v1/management-keys/${everywhere.id}/rotate`, {
      body: { graceSeconds: 0 },
    });
    await pair.first.call('POST', `/v1/management-keys/${everywhere.id}/revoke`);
    const list = (query: string, as?: string) =>
      pair.second.call('GET', `/v1/audit-events${query}`, { ...(as && { as }) });
    for (const query of ['', `?targetId=${everywhere.id}`, '?action=management_key.created']) {
      expect((await list(query, reader.key)).text).not.toContain(everywhere.id);
      expect((await list(query)).text).toContain(everywhere.id);
    }
    const own = await list('?action=management_key.created', reader.key);
    expect(own.body.data.map(({ target }: { target: { id: string } }) => target.id)).toEqual([
      reader.id,
    ]);
  });
});
