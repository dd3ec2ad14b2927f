import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { checksumOf, partsOf, readChecksumKey } from '../support/forged-key.ts';
import { ROOT_KEY } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const NOTHING = { found: false, key: null, deletedAt: null, secret: null };
const RUNS = 'keyward_argon2_runs_total';

describe('finding the key of a string', () => {
  const pair = usePair();
  const find = (key: string, as?: string) =>
    pair.second.call('POST', '/v1/keys/find', { body: { key }, ...(as && { as }) });
  const post = (path: string, body: object = {}) =>
    pair.first.call('POST', `/v1/keys/${path}`, { body });

  it('a string that is in use is found with its key, in whichever workspace it is', async () => {
    await putWorkspace(pair.first, 'acme');
    const { id, key } = await createKey(pair.first, { workspaceId: 'acme', ownerId: 'customer_7' });
    const { status, body, headers } = await find(key);
    expect([status, headers['cache-control']]).toEqual([200, 'no-store']);
    expect(body).toMatchObject({
      found: true,
      key: { id, workspaceId: 'acme', ownerId: 'customer_7', status: 'active' },
      deletedAt: null,
      secret: { imported: false, status: 'current', endedBy: null, validUntil: null },
    });
    expect(body.secret.start).toBe(body.key.start);
    expect(Object.keys(body.secret).sort()).toEqual(
      'createdAt endedBy id imported lastUsedAt lastUsedFrom start status validUntil'.split(' '),
    );
  });

  it('a string that a rotation replaced is found during its grace and long after it', async () => {
    const { id, key } = await createKey(pair.first);
    expect((await post(`${id}/rotate`, { graceSeconds: 60 })).status).toBe(200);
    expect((await find(key)).body).toMatchObject({
      key: { id },
      secret: { status: 'retiring', endedBy: null, validUntil: expect.any(String) },
    });
    pair.advance(3_600_000);
    expect(await verdict(pair.second, key)).toBe('NOT_FOUND');
    const ended = {
      key: { id, status: 'active' },
      secret: { status: 'ended', endedBy: 'rotation' },
    };
    expect((await find(key)).body).toMatchObject(ended);
    const later = await post(`${id}/rotate`, { graceSeconds: 0 });
    await post(`${id}/revoke`);
    expect((await find(key)).body).toMatchObject({ ...ended, key: { status: 'revoked' } });
    const current = (await find(later.body.key)).body;
    expect(current).toMatchObject({ key: { id }, secret: { endedBy: 'revocation' } });
  });

  it('a string that was never in grace is found as ended by the rotation', async () => {
    const { id, key } = await createKey(pair.first);
    await post(`${id}/rotate`, { graceSeconds: 0 });
    const { secret } = (await find(key)).body;
    expect(secret).toMatchObject({ status: 'ended', endedBy: 'rotation', validUntil: null });
  });

  it('a string of a revoked, a deleted and an expired key is found with what ended it', async () => {
    const [revoked, deleted, both] = [
      await createKey(pair.first),
      await createKey(pair.first),
      await createKey(pair.first),
    ];
    await post(`${revoked.id}/revoke`, { reason: 'leaked', note: 'In a public repository.' });
    await pair.first.call('DELETE', `/v1/keys/${deleted.id}`);
    await post(`${both.id}/revoke`);
    pair.advance(1000);
    await pair.first.call('DELETE', `/v1/keys/${both.id}`);
    const expired = await createKey(pair.first, { expiresInSeconds: 60 });
    pair.advance(60_000);
    expect((await find(revoked.key)).body).toMatchObject({
      key: { id: revoked.id, status: 'revoked', revokeReason: 'leaked' },
      secret: { status: 'ended', endedBy: 'revocation' },
    });
    expect((await find(deleted.key)).body).toMatchObject({
      key: { id: deleted.id },
      deletedAt: expect.any(String),
      secret: { status: 'ended', endedBy: 'deletion' },
    });
    expect((await find(both.key)).body.secret.endedBy).toBe('revocation');
    const { key, secret } = (await find(expired.key)).body;
    expect([key.status, secret.status, secret.endedBy]).toEqual(['expired', 'ended', 'expiry']);
  });

  it('a string of a deleted workspace is found as ended by the deletion', async () => {
    await putWorkspace(pair.first, 'closed');
    const { id, key } = await createKey(pair.first, { workspaceId: 'closed' });
    await pair.first.call('DELETE', '/v1/workspaces/closed');
    expect((await find(key)).body).toMatchObject({
      key: { id, workspaceId: 'closed', status: 'revoked' },
      deletedAt: expect.any(String),
      secret: { endedBy: 'deletion' },
    });
  });

  it('a string of another system is found by its digest, before its first use and after it', async () => {
    const old = 'sk_of_another_system_1';
    const value = createHash('sha512').update(old).digest('hex');
    const item = { name: 'imported', start: 'sk_of', hash: { algorithm: 'sha512', value } };
    await post('import', { keys: [item] });
    for (const state of ['unused', 'used']) {
      const { key, secret } = (await find(old)).body;
      expect([state, key.name, secret.imported, secret.start]).toEqual([
        ...[state, 'imported', true, 'sk_of…'],
      ]);
      expect(await verdict(pair.first, old)).toBe('VALID');
    }
  });

  it('a bound caller finds the strings of its own workspace alone, and pays nothing for others', async () => {
    await putWorkspace(pair.first, 'own');
    const permissions = ['keys:read'] as const;
    const { key: as } = await createManagementKey(pair.first, { permissions, workspaceId: 'own' });
    const own = await createKey(pair.first, { workspaceId: 'own' });
    const foreign = await createKey(pair.first);
    expect((await find(own.key, as)).body.key.id).toBe(own.id);
    const runs = await metric(pair.second, RUNS);
    const { status, body } = await find(foreign.key, as);
    expect([status, body]).toEqual([200, NOTHING]);
    expect(await metric(pair.second, RUNS)).toBe(runs);
  });

  it('a caller without the permission keys:read finds nothing', async () => {
    const { key } = await createKey(pair.first);
    const permissions = ['keys:verify', 'keys:write'] as const;
    const { key: as } = await createManagementKey(pair.first, { permissions });
    expect((await find(key, as)).status).toBe(403);
    expect((await find(key, key)).status).toBe(401);
  });

  it('a string with a right checksum and a wrong secret finds nothing', async () => {
    const { key } = await createKey(pair.first);
    const { prefix, ref, secret } = partsOf(key);
    const flipped = secret.startsWith('A') ? `B${secret.slice(1)}` : `A${secret.slice(1)}`;
    const body = `${prefix}_${ref}${flipped}`;
    const forged = body + checksumOf(body, await readChecksumKey(pair.databaseUrl));
    expect((await find(forged)).body).toEqual(NOTHING);
    expect((await find(key)).body.found).toBe(true);
  });

  it('a string with a wrong checksum finds nothing without any argon2, and so does whatever cannot be a key', async () => {
    const { key } = await createKey(pair.first);
    const runs = await metric(pair.second, RUNS);
    const last = key.endsWith('0') ? '1' : '0';
    for (const wrong of [key.slice(0, -1) + last, `${key} `]) {
      expect((await find(wrong)).body).toEqual(NOTHING);
    }
    expect(await metric(pair.second, RUNS)).toBe(runs);
    for (const odd of ['', 'x'.repeat(5000), 'nul\u0000', '\ud800', ROOT_KEY]) {
      expect((await find(odd)).body).toEqual(NOTHING);
    }
  });

  it("a management key's string is not a customer's key and finds nothing", async () => {
    const { key } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    expect((await find(key)).body).toEqual(NOTHING);
  });

  it('a scheme before the string is the mistake of the caller, as in a verification', async () => {
    const { key } = await createKey(pair.first);
    const { status, body } = await find(`Bearer ${key}`);
    expect([status, body.code, body.errors[0].pointer]).toEqual([
      ...[400, 'KEY_WITH_SCHEME', '/body/key'],
    ]);
  });

  it('the string that is looked for reaches no log line, error, audit entry or table, and is not counted', async () => {
    const { id, key } = await createKey(pair.first);
    const headers = { 'idempotency-key': 'find-1' };
    const answers = [
      await find(key),
      await pair.second.call('POST', '/v1/keys/find', { body: { key }, headers }),
      await pair.second.call('POST', '/v1/keys/find', { body: { key, more: key } }),
      await pair.second.call('POST', '/v1/keys/find', { body: { key: [key] } }),
      await find(`Bearer ${key}`),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 400, 400]);
    await pair.flush();
    const texts = [...answers.map(({ text }) => text), ...pair.second.logLines].join('\n');
    const { secret } = partsOf(key);
    expect(texts).not.toContain(secret);
    const client = await connect(pair.databaseUrl);
    const { rows } = await client.query(
      `select (select count(*)::int from idempotency_keys) as answers,
              (select count(*)::int from audit_events where payload like '%' || $1 || '%') as events`,
      [secret],
    );
    expect(rows).toEqual([{ answers: 0, events: 0 }]);
    const { body } = await pair.first.call('GET', `/v1/keys/${id}`);
    expect(body.usage).toMatchObject({ total: 0, lastUsedAt: null });
  });
});
