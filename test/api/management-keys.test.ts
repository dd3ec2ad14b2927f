import { describe, expect, it } from 'vitest';
import { ROOT_KEY } from '../support/instance.ts';
import {
  auditOf,
  createManagementKey,
  type ManagementKeyOptions,
  putWorkspace,
  usePair,
} from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';
import { warmManagementKey } from '../support/warm.ts';

const HOUR_S = 3600;

describe('management keys', () => {
  const pair = usePair();
  const make = (options: ManagementKeyOptions) => createManagementKey(pair.first, options);
  /** What the second instance answers to a caller that lists keys with this key. */
  const use = async (key: string) =>
    (await pair.second.call('GET', '/v1/keys', { as: key })).status;
  const post = (url: string, body: object, as = ROOT_KEY) =>
    pair.first.call('POST', `/v1/management-keys${url}`, { body, as });
  const read = async (id: string) =>
    (await pair.second.call('GET', `/v1/management-keys/${id}`)).body;

  it('a management key is shown once, and then without its string', async () => {
    const permissions = ['keys:read', 'usage:read'];
    const { status, body, headers } = await post('', { name: 'shown', permissions });
    expect(status).toBe(201);
    expect(headers).toMatchObject({
      location: `/v1/management-keys/${body.id}`,
      'cache-control': 'no-store',
    });
    expect(body.key).toMatch(/^kw_[0-9A-Za-z]{65}$/);
    const { key, ...shown } = body;
    expect(await read(body.id)).toEqual(shown);
    expect(shown).toMatchObject({
      permissions,
      workspaceId: 'default',
      status: 'active',
      start: `${key.slice(0, 9)}…`,
      lastUsedAt: null,
      createdBy: { type: 'root', id: 'root', onBehalfOf: null },
    });
  });

  it('a management key expires', async () => {
    const { id, key } = await make({ permissions: ['keys:read'], expiresInSeconds: 60 });
    expect(await use(key)).toBe(200);
    pair.advance(60_000);
    expect(await use(key)).toBe(401);
    expect((await read(id)).status).toBe('expired');
    const { status, body } = await post(`/${id}/rotate`, { graceSeconds: 0 });
    expect({ status, code: body.code }).toEqual({ status: 409, code: 'KEY_EXPIRED' });
  });

  it('a management key shows when it was last used, not counting refused calls', async () => {
    const { id, key } = await make({ permissions: ['keys:read'] });
    await pair.flush();
    expect((await read(id)).lastUsedAt).toBeNull();
    await use(key);
    await pair.flush();
    expect((await read(id)).lastUsedAt).not.toBeNull();
  });

  it('a management key rotates with a grace period in which both strings are valid, and supersedes like a key', async () => {
    const { id, key: old } = await make({ permissions: ['keys:read'] });
    await use(old);
    const { body } = await post(`/${id}/rotate`, { graceSeconds: HOUR_S });
    expect(body).toMatchObject({ id, retiringUntil: expect.any(String) });
    expect([await use(old), await use(body.key)]).toEqual([200, 200]);
    const again = await post(`/${id}/rotate`, { graceSeconds: HOUR_S });
    expect(again.body.code).toBe('ROTATION_UNDER_WAY');
    for (const string of [old, body.key]) await warmManagementKey(string, pair.second);
    const options = { graceSeconds: HOUR_S, supersede: true };
    const newest = (await post(`/${id}/rotate`, options)).body.key;
    expect([await use(old), await use(body.key), await use(newest)]).toEqual([401, 200, 200]);
    pair.advance(HOUR_S * 1000);
    expect([await use(body.key), await use(newest)]).toEqual([401, 200]);
    expect((await read(id)).retiringUntil).toBeNull();
  });

  it('a management key is revoked at once, everywhere, for good', async () => {
    const { id, key } = await make({ permissions: ['keys:read'] });
    const { key: next } = (await post(`/${id}/rotate`, { graceSeconds: HOUR_S })).body;
    expect([await use(key), await use(next)]).toEqual([200, 200]);
    for (const string of [key, next]) await warmManagementKey(string, pair.second);
    for (let round = 0; round < 2; round++) {
      expect((await post(`/${id}/revoke`, {})).body.status).toBe('revoked');
      expect([await use(key), await use(next)]).toEqual([401, 401]);
    }
    expect((await post(`/${id}/rotate`, { graceSeconds: 0 })).body.code).toBe('KEY_REVOKED');
    const entries = await auditOf(pair.first, id);
    expect(entries.map(({ action }: { action: string }) => action)).toEqual([
      'management_key.revoked',
      'management_key.rotated',
      'management_key.created',
    ]);
  });

  it('no caller can grant more than it has, by creating or by rotating', async () => {
    const weak = await make({ permissions: ['management:write', 'keys:read'] });
    const strong = await make({ permissions: ['keys:read', 'keys:write'] });
    const create = (permissions: string[]) => post('', { name: 'new', permissions }, weak.key);
    expect((await create(['keys:read', 'management:write'])).status).toBe(201);
    const refused = [
      await create(['keys:read', 'keys:write']),
      await post(`/${strong.id}/rotate`, { graceSeconds: HOUR_S }, weak.key),
    ];
    for (const { status, body } of refused) {
      expect({ status, code: body.code }).toEqual({ status: 403, code: 'FORBIDDEN' });
      expect(body.detail).toContain('keys:write');
    }
    expect(await use(strong.key)).toBe(200);
    expect((await read(strong.id)).retiringUntil).toBeNull();
    expect((await post(`/${strong.id}/revoke`, {}, weak.key)).status).toBe(204);
  });

  it('a management key of one workspace creates, sees and changes only those of that workspace', async () => {
    await putWorkspace(pair.first, 'bound');
    await putWorkspace(pair.first, 'other');
    const permissions = ['management:read', 'management:write', 'keys:read'] as const;
    const mine = await make({ permissions, workspaceId: 'bound' });
    const unbound = await make({ permissions: ['keys:read'] });
    const foreign = await make({ permissions: ['keys:read'], workspaceId: 'other' });
    const create = (more: object) =>
      post('', { name: 'new', permissions: ['keys:read'], ...more }, mine.key);
    const implied = await create({});
    expect(implied.body.workspaceId).toBe('bound');
    expect((await create({ workspaceId: 'bound' })).status).toBe(201);
    for (const workspaceId of [null, 'other', 'default', 'unborn']) {
      expect((await create({ workspaceId })).status).toBe(404);
    }
    for (const { id } of [unbound, foreign]) {
      const own = await pair.second.call('GET', `/v1/management-keys/${id}`, { as: mine.key });
      const rotated = await post(`/${id}/rotate`, { graceSeconds: 0 }, mine.key);
      const revoked = await post(`/${id}/revoke`, {}, mine.key);
      expect([own.status, rotated.status, revoked.status]).toEqual([404, 404, 404]);
    }
    expect([await use(unbound.key), await use(foreign.key)]).toEqual([200, 200]);
    const list = await pair.second.call('GET', '/v1/management-keys', { as: mine.key });
    const workspaces = list.body.data.map((one: { workspaceId: string }) => one.workspaceId);
    expect(workspaces).toEqual(['bound', 'bound', 'bound']);
    expect((await create({})).body.createdBy).toMatchObject({
      type: 'management_key',
      id: mine.id,
    });
  });

  it('no management key is created for a workspace that does not exist', async () => {
    const options = { name: 'new', permissions: ['keys:read'], workspaceId: 'unborn' };
    expect((await post('', options)).status).toBe(404);
  });

  it('the list of management keys shows each exactly once, newest first', async () => {
    await putWorkspace(pair.first, 'paged');
    for (let i = 0; i < 5; i++) await make({ permissions: ['keys:read'], workspaceId: 'paged' });
    const seen: { id: string; createdAt: string }[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: string = cursor && `&cursor=${cursor}`;
      const url = `/v1/management-keys?workspaceId=paged&limit=2${page}`;
      const { body } = await pair.second.call('GET', url);
      seen.push(...body.data);
      cursor = body.nextCursor;
    }
    expect(seen).toHaveLength(5);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(5);
    const times = seen.map(({ createdAt }) => createdAt);
    expect(times).toEqual(times.toSorted().reverse());
  });
});

describe('which credential is valid for what', () => {
  const pair = usePair();

  it('a customer key never authenticates a management call', async () => {
    const { key } = await createKey(pair.first, { scopes: ['*'] });
    const answer = await pair.second.call('GET', '/v1/keys', { as: key });
    expect(answer.status).toBe(401);
    const verify = await pair.second.call('POST', '/v1/verify', { as: key, body: { key } });
    expect(verify.status).toBe(401);
  });

  it('no customer key can have the prefix of management keys', async () => {
    const body = { name: 'posing', prefix: 'kw' };
    const { status } = await pair.first.call('POST', '/v1/keys', { body });
    expect(status).toBe(400);
  });

  it('management keys and the root key are NOT_FOUND in verify, byte for byte like unknown keys', async () => {
    const { key } = await createManagementKey(pair.first, { permissions: ['keys:verify'] });
    const headers = { 'x-request-id': 'the-same' };
    const texts = [];
    for (const presented of [key, ROOT_KEY, 'ak_live_unknown', `${key.slice(0, -1)}_`]) {
      const body = { key: presented };
      texts.push((await pair.second.call('POST', '/v1/verify', { headers, body })).text);
    }
    expect(new Set(texts).size).toBe(1);
    expect(JSON.parse(texts[0] ?? '')).toMatchObject({ valid: false, code: 'NOT_FOUND' });
  });
});
