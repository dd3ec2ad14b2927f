import { createHash, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type KeywardClient, verdictOf } from '../support/client.ts';
import {
  at,
  makeKey,
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

describe('keys, call by call', () => {
  it('createKey returns a key whose string is shown only this once', async () => {
    const body = { name: 'CI deploys', prefix: 'acme_test', scopes: ['orders:read'] };
    const { data, response } = await root.POST('/v1/keys', { body });
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe(`/v1/keys/${data?.id}`);
    expect(data?.key).toMatch(/^acme_test_[0-9A-Za-z]{65}$/);
    const read = await ok(root.GET('/v1/keys/{id}', at(data?.id ?? '')));
    expect(JSON.stringify(read)).not.toContain(data?.key);
  });

  it('createKey with an Idempotency-Key takes effect once, however often it is sent', async () => {
    const headers = { 'idempotency-key': randomBytes(8).toString('hex') };
    const first = await ok(root.POST('/v1/keys', { body: { name: 'once' }, headers }));
    const again = await ok(root.POST('/v1/keys', { body: { name: 'once' }, headers }));
    expect(again).toEqual({ ...first, key: null });
  });

  it('listKeys finds keys by filter, page by page', async () => {
    const ownerId = `customer_${randomBytes(4).toString('hex')}`;
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push((await makeKey(root, { ownerId })).id);
    const first = await ok(
      root.GET('/v1/keys', { params: { query: { ownerId, sort: '-createdAt', limit: 2 } } }),
    );
    const query = {
      ownerId,
      sort: '-createdAt',
      limit: 2,
      cursor: first.nextCursor ?? '',
    } as const;
    const last = await ok(root.GET('/v1/keys', { params: { query } }));
    expect([...first.data, ...last.data].map(({ id }) => id)).toEqual(ids.toReversed());
    expect(last.nextCursor).toBeNull();
  });

  it('getKey shows a key, its secrets and its usage, and never a hash', async () => {
    const { id, start } = await makeKey(root);
    const read = await ok(root.GET('/v1/keys/{id}', at(id)));
    expect(read).toMatchObject({ id, start, status: 'active', usage: { total: 0 } });
    expect(read.secrets.map(({ status }) => status)).toEqual(['current']);
    expect(JSON.stringify(read)).not.toMatch(/argon2|hash/i);
  });

  it('updateKey changes only the fields it names, at once, and only if the key has not changed since it was read', async () => {
    const { id, key } = await makeKey(root);
    const { response } = await root.GET('/v1/keys/{id}', at(id));
    const headers = { 'if-match': response.headers.get('etag') ?? '' };
    const off = { ...at(id), body: { enabled: false }, headers };
    expect(await ok(root.PATCH('/v1/keys/{id}', off))).toMatchObject({ status: 'disabled' });
    expect(await verdictOf(root, key)).toBe('DISABLED');
    expect(await refusal(root.PATCH('/v1/keys/{id}', off))).toBe('412 PRECONDITION_FAILED');
  });

  it('deleteKey removes a key from every list and makes it NOT_FOUND', async () => {
    const { id, key } = await makeKey(root);
    const { response } = await root.DELETE('/v1/keys/{id}', at(id));
    expect(response.status).toBe(204);
    expect(await refusal(root.GET('/v1/keys/{id}', at(id)))).toBe('404 NOT_FOUND');
    expect(await verdictOf(root, key)).toBe('NOT_FOUND');
  });

  it('revokeKey is final and records the reason', async () => {
    const { id, key } = await makeKey(root);
    const body = { reason: 'leaked', note: 'found in a public repository' };
    const revoked = await ok(root.POST('/v1/keys/{id}/revoke', { ...at(id), body }));
    expect(revoked).toMatchObject({ status: 'revoked', revokeReason: 'leaked' });
    expect(await verdictOf(root, key)).toBe('REVOKED');
    const on = { ...at(id), body: { enabled: true } };
    expect(await refusal(root.PATCH('/v1/keys/{id}', on))).toBe('409 KEY_REVOKED');
  });

  it('rotateKey returns a new string and leaves the old one valid for the grace period', async () => {
    const { id, key } = await makeKey(root);
    const body = { graceSeconds: 3600 };
    const rotated = await ok(root.POST('/v1/keys/{id}/rotate', { ...at(id), body }));
    expect(rotated.id).toBe(id);
    expect(await verdictOf(root, rotated.key ?? '')).toBe('VALID');
    expect(await ok(root.POST('/v1/verify', { body: { key } }))).toMatchObject({
      code: 'VALID',
      rotation: { retiring: true, validUntil: expect.any(String) },
    });
  });

  it('endGrace ends the retiring string at once', async () => {
    const { id, key } = await makeKey(root);
    const body = { graceSeconds: 3600 };
    const rotated = await ok(root.POST('/v1/keys/{id}/rotate', { ...at(id), body }));
    const { response } = await root.DELETE('/v1/keys/{id}/retiring-secret', at(id));
    expect(response.status).toBe(204);
    expect(await verdictOf(root, key)).toBe('NOT_FOUND');
    expect(await verdictOf(root, rotated.key ?? '')).toBe('VALID');
  });

  it('changeCredits adds to a balance with immediate effect', async () => {
    const { id, key } = await makeKey(root, { credits: { remaining: 0 } });
    expect(await verdictOf(root, key)).toBe('CREDITS_EXHAUSTED');
    const body = { operation: 'add' as const, amount: 2 };
    const changed = await ok(root.POST('/v1/keys/{id}/credits', { ...at(id), body }));
    expect(changed.credits?.remaining).toBe(2);
    expect(await ok(root.POST('/v1/verify', { body: { key, cost: 2 } }))).toMatchObject({
      code: 'VALID',
      credits: { remaining: 0 },
    });
  });

  it('explainKey shows every check with its outcome, without needing the string', async () => {
    const { id } = await makeKey(root, { enabled: false, scopes: ['orders:read'] });
    const body = { requiredScopes: ['orders:write'] };
    const { code, checks } = await ok(root.POST('/v1/keys/{id}/explain', { ...at(id), body }));
    expect(code).toBe('DISABLED');
    const failed = checks.filter(({ passed }) => !passed).map((check) => check.code);
    expect(failed).toEqual(['DISABLED', 'INSUFFICIENT_SCOPE']);
  });

  it('findKey says whose string this was and what became of it, long after it ended', async () => {
    const { id, key } = await makeKey(root, { ownerId: 'customer_42' });
    const body = { graceSeconds: 0 };
    await ok(root.POST('/v1/keys/{id}/rotate', { ...at(id), body }));
    expect(await verdictOf(root, key)).toBe('NOT_FOUND');
    const found = await ok(root.POST('/v1/keys/find', { body: { key } }));
    expect(found.key).toMatchObject({ id, ownerId: 'customer_42', status: 'active' });
    expect(found.secret).toMatchObject({ status: 'ended', endedBy: 'rotation' });
    const nothing = await ok(root.POST('/v1/keys/find', { body: { key: 'ak_live_nonsense' } }));
    expect(nothing).toEqual({ found: false, key: null, deletedAt: null, secret: null });
  });

  it('erasePersonalData erases from where the keys of an owner were last used', async () => {
    const ownerId = `customer_${randomBytes(4).toString('hex')}`;
    const { id, key } = await makeKey(root, { ownerId });
    const body = { key, ip: '203.0.113.7', userAgent: 'curl/8.5.0' };
    expect((await ok(root.POST('/v1/verify', { body }))).code).toBe('VALID');
    const usedFrom = async () => (await ok(root.GET('/v1/keys/{id}', at(id)))).usage.lastUsedFrom;
    const expected = { ip: '203.0.113.0/24', userAgent: 'curl' };
    await expect.poll(usedFrom, { timeout: 20_000 }).toEqual(expected);
    const path = { ownerId };
    const erased = await root.DELETE('/v1/owners/{ownerId}/personal-data', { params: { path } });
    expect(erased.response.status).toBe(204);
    expect(await usedFrom()).toBeNull();
  });

  it('importKeys imports keys of another system by their digests', async () => {
    const foreign = `legacy-${randomBytes(16).toString('hex')}`;
    const value = createHash('sha256').update(foreign).digest('hex');
    expect(await verdictOf(root, foreign)).toBe('NOT_FOUND');
    const item = { name: 'legacy', hash: { algorithm: 'sha256' as const, value } };
    const report = await ok(root.POST('/v1/keys/import', { body: { keys: [item, item] } }));
    expect(report.results.map(({ status }) => status)).toEqual(['created', 'duplicate']);
    expect(await verdictOf(root, foreign)).toBe('VALID');
  });

  it('bulkRevokeKeys revokes all keys of an owner, after a dry run if requested', async () => {
    const ownerId = `customer_${randomBytes(4).toString('hex')}`;
    const keys = [await makeKey(root, { ownerId }), await makeKey(root, { ownerId })];
    const preview = { ownerId, dryRun: true };
    expect(await ok(root.POST('/v1/keys/bulk-revoke', { body: preview }))).toMatchObject({
      dryRun: true,
      revoked: 0,
      wouldRevoke: 2,
    });
    expect(await verdictOf(root, keys[0]?.key ?? '')).toBe('VALID');
    await ok(root.POST('/v1/keys/bulk-revoke', { body: { ownerId } }));
    for (const { key } of keys) expect(await verdictOf(root, key)).toBe('REVOKED');
  });
});
