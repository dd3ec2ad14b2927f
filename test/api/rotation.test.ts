import { describe, expect, it } from 'vitest';
import { auditOf, usePair } from '../support/pair.ts';
import { createKey, verdict, verify } from '../support/sql-keys.ts';
import { warmKey } from '../support/warm.ts';

const HOUR_S = 3600;
const HOUR_MS = HOUR_S * 1000;

describe('rotating a key', () => {
  const pair = usePair();
  const rotate = (id: string, body: object) =>
    pair.first.call('POST', `/v1/keys/${id}/rotate`, { body });
  const rotated = async (id: string, body: object) => {
    const answer = await rotate(id, body);
    expect(answer.status).toBe(200);
    return answer.body;
  };
  const read = async (id: string) => (await pair.second.call('GET', `/v1/keys/${id}`)).body;
  const endGrace = async (id: string) =>
    (await pair.first.call('DELETE', `/v1/keys/${id}/retiring-secret`)).status;

  it('a rotation gives the same key a new string, and the old one is flagged and ends with the grace period', async () => {
    const { id, key: old } = await createKey(pair.first);
    await verdict(pair.second, old);
    const { key, id: sameId, secrets } = await rotated(id, { graceSeconds: HOUR_S });
    expect(sameId).toBe(id);
    expect(key).not.toBe(old);
    const validUntil = secrets[1].validUntil;
    expect(secrets).toMatchObject([
      { status: 'current', validUntil: null, start: `${key.slice(0, 14)}…` },
      { status: 'retiring', start: `${old.slice(0, 14)}…` },
    ]);
    expect((await verify(pair.second, key)).body).toMatchObject({
      code: 'VALID',
      keyId: id,
      rotation: { retiring: false, validUntil: null },
    });
    expect((await verify(pair.second, old)).body).toMatchObject({
      code: 'VALID',
      keyId: id,
      rotation: { retiring: true, validUntil },
    });
    pair.advance(HOUR_MS - 10_000);
    expect(await verdict(pair.second, old)).toBe('VALID');
    pair.advance(10_000);
    expect(await verdict(pair.second, old)).toBe('NOT_FOUND');
    expect(await verdict(pair.second, key)).toBe('VALID');
    expect((await read(id)).secrets).toMatchObject([{ status: 'current' }]);
  });

  it('a string after its grace period is answered like one that never existed', async () => {
    const { id, key: old } = await createKey(pair.first);
    await rotated(id, { graceSeconds: 0 });
    const headers = { 'x-request-id': 'the-same' };
    const never = `${old.slice(0, -1)}${old.endsWith('0') ? '1' : '0'}`;
    const [ended, unknown] = await Promise.all(
      [old, never].map((key) => pair.second.call('POST', '/v1/verify', { headers, body: { key } })),
    );
    expect(ended?.text).toBe(unknown?.text);
    expect(ended?.body.code).toBe('NOT_FOUND');
  });

  it('a rotation with graceSeconds 0 ends the old string at once, everywhere', async () => {
    const { id, key: old } = await createKey(pair.first);
    await warmKey(old, pair.first, pair.second);
    const { key } = await rotated(id, { graceSeconds: 0 });
    for (const instance of [pair.first, pair.second]) {
      expect(await verdict(instance, old)).toBe('NOT_FOUND');
      expect(await verdict(instance, key)).toBe('VALID');
    }
  });

  it('a second rotation during a grace period is refused, and changes nothing', async () => {
    const { id, key: old } = await createKey(pair.first);
    const { key } = await rotated(id, { graceSeconds: HOUR_S });
    const { status, body } = await rotate(id, { graceSeconds: 0 });
    expect({ status, code: body.code }).toEqual({ status: 409, code: 'ROTATION_UNDER_WAY' });
    expect(await verdict(pair.second, old)).toBe('VALID');
    expect(await verdict(pair.second, key)).toBe('VALID');
    pair.advance(HOUR_MS);
    expect((await rotate(id, { graceSeconds: 0 })).status).toBe(200);
  });

  it('a rotation with supersede ends the retiring string at once, and the current one starts to retire', async () => {
    const { id, key: oldest } = await createKey(pair.first);
    const { key: older } = await rotated(id, { graceSeconds: HOUR_S });
    for (const key of [oldest, older]) await warmKey(key, pair.second);
    const { key } = await rotated(id, { graceSeconds: HOUR_S, supersede: true });
    expect(await verdict(pair.second, oldest)).toBe('NOT_FOUND');
    expect((await verify(pair.second, older)).body).toMatchObject({
      code: 'VALID',
      rotation: { retiring: true },
    });
    expect(await verdict(pair.second, key)).toBe('VALID');
    await rotated(id, { graceSeconds: 0, supersede: true });
    for (const gone of [oldest, older, key]) {
      expect(await verdict(pair.second, gone)).toBe('NOT_FOUND');
    }
  });

  it('ending a grace period early takes effect at once, everywhere, and can be repeated', async () => {
    const { id, key: old } = await createKey(pair.first);
    const { key } = await rotated(id, { graceSeconds: HOUR_S });
    await warmKey(old, pair.second);
    expect(await endGrace(id)).toBe(204);
    expect(await verdict(pair.second, old)).toBe('NOT_FOUND');
    expect(await endGrace(id)).toBe(204);
    expect(await verdict(pair.second, key)).toBe('VALID');
    expect((await rotate(id, { graceSeconds: 0 })).status).toBe(200);
    const actions = (await auditOf(pair.first, id)).map((e: { action: string }) => e.action);
    expect(actions).toEqual(['key.rotated', 'key.grace_ended', 'key.rotated', 'key.created']);
  });

  it('a rotation does not revive a revoked, an expired or a deleted key', async () => {
    const revoked = await createKey(pair.first);
    await pair.first.call('POST', `/v1/keys/${revoked.id}/revoke`);
    const deleted = await createKey(pair.first);
    await pair.first.call('DELETE', `/v1/keys/${deleted.id}`);
    const expired = await createKey(pair.first, { expiresInSeconds: 60 });
    pair.advance(60_000);
    const outcomes = [];
    for (const { id } of [revoked, deleted, expired]) {
      const { status, body } = await rotate(id, { graceSeconds: 0, supersede: true });
      outcomes.push(`${status} ${body.code}`);
    }
    expect(outcomes).toEqual(['409 KEY_REVOKED', '404 NOT_FOUND', '409 KEY_EXPIRED']);
    expect(await verdict(pair.second, expired.key)).toBe('EXPIRED');
  });

  it('a rotation leaves a disabled or scheduled key as it is', async () => {
    const disabled = await createKey(pair.first, { enabled: false });
    const notBefore = new Date(Date.now() + 400 * 24 * HOUR_MS).toISOString();
    const scheduled = await createKey(pair.first, { notBefore });
    const first = await rotated(disabled.id, { graceSeconds: 0 });
    const second = await rotated(scheduled.id, { graceSeconds: 0 });
    expect(await verdict(pair.second, first.key)).toBe('DISABLED');
    expect(await verdict(pair.second, second.key)).toBe('NOT_YET_VALID');
  });

  it('revoking a key ends its current and its retiring string, even if both are cached', async () => {
    const { id, key: old } = await createKey(pair.first);
    const { key } = await rotated(id, { graceSeconds: HOUR_S });
    for (const string of [key, old]) await warmKey(string, pair.second);
    await pair.first.call('POST', `/v1/keys/${id}/revoke`);
    expect(await verdict(pair.second, old)).toBe('REVOKED');
    expect(await verdict(pair.second, key)).toBe('REVOKED');
    expect(await endGrace(id)).toBe(204);
    expect(await verdict(pair.second, old)).toBe('NOT_FOUND');
  });

  it('a rotation keeps the prefix, scopes, owner and all other fields', async () => {
    const prefix = 'acme_live_2';
    const fields = {
      name: 'CI',
      scopes: ['sources:read'],
      resources: ['project:alpha'],
      ownerId: 'customer_42',
      metadata: { plan: 'pro' },
    };
    const { id } = await createKey(pair.first, { ...fields, prefix });
    const before = await read(id);
    const { key, ...after } = await rotated(id, { graceSeconds: HOUR_S });
    expect(key).toMatch(/^acme_live_2_[0-9A-Za-z]{65}$/);
    expect(after).toMatchObject({ ...fields, prefix });
    expect(after.createdAt).toBe(before.createdAt);
    const { body } = await verify(pair.second, key);
    expect(body).toMatchObject({ ...fields, keyId: id, code: 'VALID' });
  });

  it('a rotation accepts a grace period from 0 to 30 days', async () => {
    const { id } = await createKey(pair.first);
    for (const body of [{}, { graceSeconds: -1 }, { graceSeconds: 2_592_001 }]) {
      expect((await rotate(id, body)).status).toBe(400);
    }
    expect((await rotate(id, { graceSeconds: 2_592_000 })).status).toBe(200);
  });
});

describe('the use of a rotated key', () => {
  const pair = usePair();

  it('the usage of a rotated key is counted for each secret, also one that has ended', async () => {
    const { id, key: old } = await createKey(pair.first);
    await verdict(pair.first, old);
    const { body } = await pair.first.call('POST', `/v1/keys/${id}/rotate`, {
      body: { graceSeconds: HOUR_S },
    });
    const [current, retiring] = body.secrets;
    await verdict(pair.second, old);
    await verdict(pair.second, body.key);
    await pair.flush();
    const read = async () => (await pair.first.call('GET', `/v1/keys/${id}`)).body;
    const during = await read();
    for (const secret of during.secrets) expect(secret.lastUsedAt).not.toBeNull();
    expect(during.usage.total).toBe(3);
    pair.advance(HOUR_MS);
    for (const instance of [pair.first, pair.second]) {
      expect(await verdict(instance, old)).toBe('NOT_FOUND');
    }
    await pair.flush();
    const usage = (await pair.first.call('GET', `/v1/keys/${id}/usage`)).body;
    expect(usage).toMatchObject({ total: 5, byCode: { VALID: 3, NOT_FOUND: 2 } });
    const totals = usage.bySecret.map((s: { secretId: string; total: number }) => [
      s.secretId,
      s.total,
    ]);
    expect(Object.fromEntries(totals)).toEqual({ [current.id]: 1, [retiring.id]: 4 });
    const { usage: after, secrets } = await read();
    expect(after.lastUsedAt).toBe(secrets[0].lastUsedAt);
    expect(Date.parse(after.lastDeniedAt)).toBeGreaterThan(Date.parse(after.lastUsedAt));
  });
});
