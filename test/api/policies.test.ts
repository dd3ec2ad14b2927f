import { describe, expect, it } from 'vitest';
import { putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { warmKey } from '../support/warm.ts';

const DAY_MS = 86_400_000;
const scopes = (...names: string[]) =>
  names.map((scope) => ({ scope, title: scope, description: `What ${scope} allows.` }));

describe('policies of a workspace', () => {
  const pair = usePair();
  const create = (workspaceId: string, more: object = {}) =>
    pair.first.call('POST', '/v1/keys', { body: { name: 'a key', workspaceId, ...more } });
  const patch = (workspaceId: string, id: string, body: object) =>
    pair.second.call('PATCH', `/v1/keys/${id}?workspaceId=${workspaceId}`, { body });
  const rotate = (workspaceId: string, id: string) =>
    pair.second.call('POST', `/v1/keys/${id}/rotate`, { body: { workspaceId, graceSeconds: 0 } });
  const outcome = ({ status, body }: Awaited<ReturnType<typeof create>>) => ({
    status,
    code: body.code,
    pointer: body.errors?.[0]?.pointer,
  });

  it('without apiAccess no key is created or rotated, and existing keys stay valid', async () => {
    await putWorkspace(pair.first, 'plan');
    const { id, key } = await createKey(pair.first, { workspaceId: 'plan' });
    await pair.second.call('PATCH', '/v1/workspaces/plan', { body: { apiAccess: false } });
    for (const answer of [await create('plan'), await rotate('plan', id)]) {
      expect(outcome(answer)).toMatchObject({ status: 403, code: 'UPGRADE_REQUIRED' });
    }
    expect(await verdict(pair.second, key)).toBe('VALID');
    expect((await patch('plan', id, { name: 'renamed' })).status).toBe(200);
    await pair.second.call('PATCH', '/v1/workspaces/plan', { body: { apiAccess: true } });
    expect((await create('plan')).status).toBe(201);
  });

  it('maxActiveKeys counts what is neither revoked, expired nor deleted', async () => {
    await putWorkspace(pair.first, 'few', { maxActiveKeys: 3 });
    const revoked = await createKey(pair.first, { workspaceId: 'few' });
    const deleted = await createKey(pair.first, { workspaceId: 'few' });
    const disabled = await createKey(pair.first, { workspaceId: 'few', enabled: false });
    expect(outcome(await create('few'))).toMatchObject({ status: 409, code: 'KEY_LIMIT_REACHED' });
    expect((await rotate('few', disabled.id)).status).toBe(200);
    await pair.second.call('POST', `/v1/keys/${revoked.id}/revoke`, {
      body: { workspaceId: 'few' },
    });
    expect((await create('few', { expiresInSeconds: 60 })).status).toBe(201);
    await pair.second.call('DELETE', `/v1/keys/${deleted.id}?workspaceId=few`);
    expect((await create('few')).status).toBe(201);
    expect((await create('few')).status).toBe(409);
    pair.advance(60_000);
    expect((await create('few')).status).toBe(201);
  });

  it('with maxActiveKeys an expired key is extended only if there is room', async () => {
    await putWorkspace(pair.first, 'full', { maxActiveKeys: 1 });
    const { id } = await createKey(pair.first, { workspaceId: 'full', expiresInSeconds: 60 });
    expect((await patch('full', id, { expiresInSeconds: 120 })).status).toBe(200);
    pair.advance(120_000);
    const other = await createKey(pair.first, { workspaceId: 'full' });
    for (const extension of [{ expiresInSeconds: 60 }, { expiresAt: null }]) {
      expect(outcome(await patch('full', id, extension)).code).toBe('KEY_LIMIT_REACHED');
    }
    expect((await patch('full', id, { name: 'still expired' })).status).toBe(200);
    await pair.first.call('DELETE', `/v1/keys/${other.id}?workspaceId=full`);
    const extended = await patch('full', id, { expiresInSeconds: 60 });
    expect(extended.body.status).toBe('active');
  });

  it('with maxActiveKeys 0 no key can be created', async () => {
    await putWorkspace(pair.first, 'none', { maxActiveKeys: 0 });
    expect((await create('none')).body.code).toBe('KEY_LIMIT_REACHED');
  });

  it('with requireExpiry no key is without an expiry, neither new nor changed', async () => {
    await putWorkspace(pair.first, 'mortal', { requireExpiry: true });
    const refused = { status: 400, code: 'INVALID_REQUEST', pointer: '/body/expiresAt' };
    expect(outcome(await create('mortal'))).toEqual(refused);
    const { body } = await create('mortal', { expiresInSeconds: 60 });
    expect(outcome(await patch('mortal', body.id, { expiresAt: null }))).toEqual(refused);
    expect((await patch('mortal', body.id, { name: 'renamed' })).status).toBe(200);
  });

  it('with maxLifetimeSeconds no expiry is later than that from now, and none is missing', async () => {
    await putWorkspace(pair.first, 'short', { maxLifetimeSeconds: 3600 });
    const refused = { status: 400, code: 'INVALID_REQUEST', pointer: '/body/expiresAt' };
    expect(outcome(await create('short'))).toEqual(refused);
    expect(outcome(await create('short', { expiresInSeconds: 3601 }))).toEqual(refused);
    const late = new Date(Date.now() + 2 * DAY_MS).toISOString();
    expect(outcome(await create('short', { expiresAt: late }))).toEqual(refused);
    const { status, body } = await create('short', { expiresInSeconds: 3600 });
    expect(status).toBe(201);
    expect(outcome(await patch('short', body.id, { expiresInSeconds: 3601 }))).toEqual(refused);
    pair.advance(1_800_000);
    expect((await patch('short', body.id, { expiresInSeconds: 3600 })).status).toBe(200);
  });

  it('with requireResource a key that lists resources is not valid without one, at once', async () => {
    await putWorkspace(pair.first, 'precise');
    const listed = { workspaceId: 'precise', resources: ['project:alpha'] };
    const { key } = await createKey(pair.first, listed);
    const free = await createKey(pair.first, { workspaceId: 'precise' });
    await warmKey(key, pair.second);
    await pair.first.call('PATCH', '/v1/workspaces/precise', { body: { requireResource: true } });
    expect(await verdict(pair.second, key)).toBe('RESOURCE_NOT_ALLOWED');
    expect(await verdict(pair.second, free.key)).toBe('VALID');
    const body = { key, resource: 'project:alpha' };
    const asked = await pair.second.call('POST', '/v1/verify', { body });
    expect(asked.body.code).toBe('VALID');
  });

  it('with availableScopes an unknown scope is refused with the nearest known one', async () => {
    const availableScopes = scopes('sources:read', 'sources:write', 'members:*');
    await putWorkspace(pair.first, 'listed', { availableScopes });
    const refused = await create('listed', { scopes: ['sources:read', 'sources:wirte'] });
    expect(outcome(refused)).toMatchObject({ status: 400, pointer: '/body/scopes/1' });
    expect(refused.body.detail).toContain('did you mean sources:write?');
    const known = ['sources:read', 'sources:*', 'members:invite', 'members:*', '*'];
    const { status, body } = await create('listed', { scopes: known });
    expect(status).toBe(201);
    for (const scope of ['sources', 'source:*', 'members', 'Sources:read']) {
      const answer = await patch('listed', body.id, { scopes: [scope] });
      expect(outcome(answer)).toMatchObject({ status: 400, pointer: '/body/scopes/0' });
    }
    await putWorkspace(pair.first, 'listed', { availableScopes: [] });
    expect((await create('listed', { scopes: ['sources:read'] })).status).toBe(400);
    expect((await create('listed')).status).toBe(201);
  });

  it('with immutableKeys only name, description and enabled can change, and rotating is allowed', async () => {
    await putWorkspace(pair.first, 'fixed', { immutableKeys: true });
    const { id } = await createKey(pair.first, { workspaceId: 'fixed', scopes: ['read'] });
    const fixed = {
      ownerId: 'other',
      scopes: [],
      resources: [],
      allowedIps: [],
      notBefore: '2026-01-01T00:00:00Z',
      expiresAt: '2098-01-01T00:00:00Z',
      expiresInSeconds: 60,
      metadata: { a: 1 },
    };
    for (const [field, value] of Object.entries(fixed)) {
      const answer = await patch('fixed', id, { name: 'x', [field]: value });
      expect(outcome(answer)).toEqual({
        status: 409,
        code: 'KEY_IMMUTABLE',
        pointer: `/body/${field}`,
      });
    }
    const free = { name: 'renamed', description: 'new', enabled: false };
    expect((await patch('fixed', id, free)).body).toMatchObject({ ...free, scopes: ['read'] });
    expect((await rotate('fixed', id)).status).toBe(200);
  });

  it('with defaultPrefix keys that name no prefix get it, also one with underscores', async () => {
    await putWorkspace(pair.first, 'styled', { defaultPrefix: 'acme_test_1' });
    const { body } = await create('styled');
    expect(body).toMatchObject({ prefix: 'acme_test_1' });
    expect(body.key).toMatch(/^acme_test_1_[0-9A-Za-z]{65}$/);
    expect((await create('styled', { prefix: 'own' })).body.key).toMatch(/^own_/);
    expect(await verdict(pair.second, body.key)).toBe('VALID');
  });

  it('no key is created in a workspace that does not exist', async () => {
    expect(outcome(await create('unborn'))).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });
});
