import { createHash } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connect } from '../support/database.ts';
import { launch, ROOT_KEY } from '../support/instance.ts';
import { createManagementKey, usePair } from '../support/pair.ts';
import { verdict } from '../support/sql-keys.ts';

type Algorithm = 'sha256' | 'sha512';
type Encoding = 'hex' | 'base64' | 'base64url';

const hashOf = (key: string, algorithm: Algorithm = 'sha256', encoding: Encoding = 'hex') => ({
  algorithm,
  value: createHash(algorithm).update(key).digest(encoding),
});

describe("the digests of Keyward's own keys", () => {
  const pair = usePair();
  const importKeys = async (...hashes: object[]) => {
    const keys = hashes.map((hash, index) => ({ name: `imported ${index}`, hash }));
    return (await pair.first.call('POST', '/v1/keys/import', { body: { keys } })).body;
  };

  it("the root key's digest is refused at import, in every algorithm and encoding, and keeps no other item out", async () => {
    const report = await importKeys(
      hashOf(ROOT_KEY),
      hashOf('a key of another system'),
      hashOf(ROOT_KEY, 'sha512'),
      hashOf(ROOT_KEY, 'sha256', 'base64'),
      hashOf(ROOT_KEY, 'sha512', 'base64url'),
    );
    expect(report).toMatchObject({ created: 1, duplicates: 0, invalid: 4 });
    expect(report.results[0]).toEqual({
      ...{ index: 0, status: 'invalid', keyId: null },
      errors: [{ pointer: '/hash/value', detail: expect.stringContaining('cannot be imported') }],
    });
    expect(await verdict(pair.second, ROOT_KEY)).toBe('NOT_FOUND');
  });

  it('a root key whose digest is in the database all the same is never VALID, and goes on authenticating', async () => {
    const rootKey = 'a-root-key-that-was-imported-0123456789';
    expect(await importKeys(hashOf(rootKey))).toMatchObject({ created: 1 });
    expect(await verdict(pair.first, rootKey)).toBe('VALID');
    const instance = await launch(pair.databaseUrl, { rootKey });
    onTestFinished(instance.stop);
    const body = { key: rootKey };
    const verified = await instance.call('POST', '/v1/verify', { body, as: rootKey });
    expect([verified.status, verified.body.code]).toEqual([200, 'NOT_FOUND']);
    const found = await instance.call('POST', '/v1/keys/find', { body, as: rootKey });
    expect([found.status, found.body.found]).toEqual([200, false]);
    const headers = { 'x-keyward-authorization': `Bearer ${rootKey}`, 'x-api-key': rootKey };
    const authorized = await instance.call('GET', '/v1/authorize', { headers, as: null });
    expect([authorized.status, authorized.body.code]).toEqual([401, 'NOT_FOUND']);
    const whoami = await instance.call('GET', '/v1/whoami', { as: rootKey });
    expect(whoami.body.type).toBe('root');
  });

  it("a management key whose digest was imported is never VALID as a customer's key, and goes on authenticating", async () => {
    const { id, key } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    await importKeys(hashOf(key), hashOf(key, 'sha512'));
    expect(await verdict(pair.first, key)).toBe('NOT_FOUND');
    expect(await verdict(pair.second, key)).toBe('NOT_FOUND');
    await pair.first.call('POST', `/v1/management-keys/${id}/revoke`);
    expect(await verdict(pair.second, key)).toBe('NOT_FOUND');
    const client = await connect(pair.databaseUrl);
    await client.query('delete from secrets where key_id = $1', [id]);
    expect(await verdict(pair.second, key)).toBe('NOT_FOUND');
  });
});
