import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { forgeKey, partsOf, readChecksumKey } from '../support/forged-key.ts';
import { launch } from '../support/instance.ts';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { interceptQuery } from '../support/statements.ts';

const REFUSED = { status: 401, code: 'UNAUTHENTICATED' };
const HOUR_S = 3600;

describe('the calls of a key by its holder', () => {
  const pair = usePair();
  const whoami = (as: string, instance = pair.second) => instance.call('GET', '/v1/whoami', { as });
  const revokeOwn = (as: string, headers: Record<string, string> = {}) =>
    pair.first.call('POST', '/v1/whoami/revoke', { as, headers });
  const manager = (workspaceId: string | null = null) =>
    createManagementKey(pair.first, { permissions: ['keys:read'], workspaceId });
  const use = async (as: string) => (await pair.second.call('GET', '/v1/keys', { as })).status;
  const post = async (url: string, body: object) =>
    (await pair.first.call('POST', url, { body })).body;

  it('giving up a retiring string revokes the whole key: its new string ends too, on every instance', async () => {
    const { id, key: old } = await createKey(pair.first);
    const { key } = await post(`/v1/keys/${id}/rotate`, { graceSeconds: HOUR_S });
    for (const string of [old, key]) expect(await verdict(pair.second, string)).toBe('VALID');
    expect((await revokeOwn(old)).status).toBe(204);
    for (const string of [old, key]) expect(await verdict(pair.second, string)).toBe('REVOKED');
  });

  it('giving up a retiring string of a management key ends its new string too, on every instance', async () => {
    const { id, key: old } = await manager();
    const url = `/v1/management-keys/${id}/rotate`;
    const { key } = await post(url, { graceSeconds: HOUR_S });
    expect([await use(old), await use(key)]).toEqual([200, 200]);
    expect((await revokeOwn(old)).status).toBe(204);
    expect([await use(old), await use(key)]).toEqual([401, 401]);
  });

  it('whoami shows when a retiring string ends, and refuses it from then on', async () => {
    const { id, key } = await createKey(pair.first);
    const { secrets } = await post(`/v1/keys/${id}/rotate`, { graceSeconds: HOUR_S });
    const { validUntil } = secrets[1];
    const { body } = await whoami(key);
    expect(body.rotation).toEqual({ retiring: true, validUntil });
    pair.advance(HOUR_S * 1000);
    expectProblem(await whoami(key), REFUSED);
    expectProblem(await revokeOwn(key), REFUSED);
    expect((await pair.first.call('GET', `/v1/keys/${id}`)).body.status).toBe('active');
  });

  /** With a stored proof, and by argon2. */
  it.each(['with', 'without'])(
    'a wrong string with the ref and the checksum of a key is no key and revokes none, %s KEYWARD_SECRET',
    async (secret) => {
      const instance =
        secret === 'with' ? pair.second : await launch(pair.databaseUrl, { secret: undefined });
      const checksumKey = await readChecksumKey(pair.databaseUrl);
      for (const { key } of [await createKey(instance), await manager()]) {
        const { prefix, ref } = partsOf(key);
        const as = forgeKey(prefix, ref, checksumKey);
        for (let use = 0; use < 2; use++) {
          expectProblem(await whoami(as, instance), REFUSED);
          expectProblem(await instance.call('POST', '/v1/whoami/revoke', { as }), REFUSED);
        }
        expect((await whoami(key, instance)).status).toBe(200);
      }
      if (instance !== pair.second) await instance.stop();
    },
  );

  it('whoami asks neither for an address nor for a resource, also where the workspace does', async () => {
    await putWorkspace(pair.first, 'strict', { requireResource: true });
    const policy = { workspaceId: 'strict', allowedIps: ['192.0.2.1'], resources: ['project:a'] };
    const { key } = await createKey(pair.first, policy);
    expect(await verdict(pair.second, key)).toBe('IP_NOT_ALLOWED');
    const { status, body } = await whoami(key);
    expect(status).toBe(200);
    expect(body).toMatchObject({ workspaceId: 'strict', resources: ['project:a'] });
  });

  it('whoami spends nothing of credits and limits, and answers where nothing is left', async () => {
    const rateLimits = [{ name: 'hourly', limit: 1, windowSeconds: HOUR_S }];
    const { id, key } = await createKey(pair.first, { credits: { remaining: 1 }, rateLimits });
    const left = async () => {
      const { body } = await pair.first.call('GET', `/v1/keys/${id}`);
      return [body.credits.remaining, body.rateLimits[0].remaining];
    };
    expect((await whoami(key)).status).toBe(200);
    expect(await left()).toEqual([1, 1]);
    expect(await verdict(pair.second, key)).toBe('VALID');
    expect(await left()).toEqual([0, 0]);
    expect((await whoami(key)).status).toBe(200);
  });

  it('no call of a holder is counted, not even one that presents no key', async () => {
    const sql = await connect(pair.databaseUrl);
    await pair.flush();
    const counted = async () => {
      const { rows } = await sql.query(
        `select (select coalesce(sum(total), 0)::int from key_usage) as keys,
                (select coalesce(sum(count), 0)::int from usage_unmatched) as unmatched`,
      );
      return rows[0];
    };
    const before = await counted();
    for (const { key } of [await createKey(pair.first), await manager()]) {
      await whoami(key);
      await whoami(key.replace(/.$/, (last) => (last === '0' ? '1' : '0')));
      await revokeOwn(key);
    }
    await whoami('nonsense');
    await pair.flush();
    expect(await counted()).toEqual(before);
  });

  it('a key with rules that this version does not know is neither shown nor called invalid: 503', async () => {
    const { id, key } = await createKey(pair.first);
    const sql = await connect(pair.databaseUrl);
    await sql.query('update keys set min_policy_version = 99 where id = $1', [id]);
    expectProblem(await whoami(key), { status: 503, code: 'UNAVAILABLE' });
  });

  it('while the database is away a holder is told so (503), never that the string is invalid', async () => {
    const instance = await launch(pair.databaseUrl);
    const [key, managementKey] = [await createKey(pair.first), await manager()];
    const lost = () => Promise.reject(new Error('Connection terminated unexpectedly'));
    interceptQuery(instance.service.internals.database, 'fence', lost);
    for (const as of [key.key, managementKey.key, 'a-string-of-another-system']) {
      const away = { status: 503, code: 'UNAVAILABLE' };
      expectProblem(await whoami(as, instance), away);
      expectProblem(await instance.call('POST', '/v1/whoami/revoke', { as }), away);
    }
    await instance.stop();
    expect((await whoami(key.key)).status).toBe(200);
    expect((await whoami(managementKey.key)).status).toBe(200);
  });

  it('a given-up key says when it was changed, and who gave it up from where is on the record once', async () => {
    const { id, key } = await createKey(pair.first);
    pair.advance(60_000);
    await revokeOwn(key, { 'x-request-id': 'given-up', 'keyward-actor': 'user:someone-else' });
    const { body } = await pair.second.call('GET', `/v1/keys/${id}`);
    expect(body.updatedAt).toBe(body.revokedAt);
    expect(Date.parse(body.updatedAt)).toBeGreaterThan(Date.parse(body.createdAt));
    const [entry, created, ...more] = await auditOf(pair.first, id);
    expect(entry).toMatchObject({
      action: 'key.revoked',
      actor: { type: 'key', id, onBehalfOf: null },
      before: { revokedAt: null, revokeReason: null },
      after: { revokedAt: body.revokedAt, revokeReason: 'given_up' },
      requestId: 'given-up',
      ip: '127.0.0.1',
    });
    expect([created.action, more]).toEqual(['key.created', []]);
  });

  it('a given-up key or management key is on the record of its own workspace, one of all workspaces on that of the default one', async () => {
    await putWorkspace(pair.first, 'own');
    const [key, bound, unbound] = [
      await createKey(pair.first, { workspaceId: 'own' }),
      await manager('own'),
      await manager(),
    ];
    for (const { key: as } of [key, bound, unbound]) expect((await revokeOwn(as)).status).toBe(204);
    const actor = { type: 'management_key', onBehalfOf: null };
    const revoked = { action: 'management_key.revoked', before: { revokedAt: null } };
    const [ofKey] = await auditOf(pair.first, key.id, 'own');
    expect(ofKey).toMatchObject({ action: 'key.revoked', workspaceId: 'own' });
    const [ofBound] = await auditOf(pair.first, bound.id, 'own');
    expect(ofBound).toMatchObject({ ...revoked, actor: { ...actor, id: bound.id } });
    const [ofUnbound] = await auditOf(pair.first, unbound.id);
    expect(ofUnbound).toMatchObject({ ...revoked, actor: { ...actor, id: unbound.id } });
  });
});
