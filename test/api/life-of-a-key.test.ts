import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { warmKey } from '../support/warm.ts';

describe('the life of a key', () => {
  let database: TestDatabase;
  let first: Instance;
  let second: Instance;

  beforeAll(async () => {
    database = await createTestDatabase();
    first = await launch(database.url);
    second = await launch(database.url);
  });
  afterAll(async () => {
    await first.stop();
    await second.stop();
    await database.drop();
  });

  const create = async (body: object) => (await first.call('POST', '/v1/keys', { body })).body;
  const verify = async (instance: Instance, key: string, more: object = {}) =>
    (await instance.call('POST', '/v1/verify', { body: { key, ...more } })).body;

  it('a created key is VALID on every instance, and REVOKED on every instance once revoked', async () => {
    const { id, key } = await create({ name: 'one' });
    expect(await verify(first, key)).toMatchObject({ valid: true, code: 'VALID', keyId: id });
    expect(await verify(second, key)).toMatchObject({ valid: true, code: 'VALID', keyId: id });
    await warmKey(key, first, second);
    const revoked = await second.call('POST', `/v1/keys/${id}/revoke`, {
      body: { reason: 'leaked' },
    });
    expect(revoked.body).toMatchObject({ status: 'revoked', revokeReason: 'leaked' });
    expect(await verify(first, key)).toMatchObject({ valid: false, code: 'REVOKED' });
    expect(await verify(second, key)).toMatchObject({ valid: false, code: 'REVOKED' });
  });

  it('what a PATCH takes away is gone on every instance once it is answered', async () => {
    const { id, key } = await create({ name: 'two', scopes: ['a', 'b'] });
    await warmKey(key, second);
    await first.call('PATCH', `/v1/keys/${id}`, { body: { scopes: ['a'] } });
    expect(await verify(second, key, { requiredScopes: ['b'] })).toMatchObject({
      code: 'INSUFFICIENT_SCOPE',
      missingScopes: ['b'],
    });
    await warmKey(key, second);
    await first.call('PATCH', `/v1/keys/${id}`, { body: { enabled: false } });
    expect(await verify(second, key)).toMatchObject({ code: 'DISABLED' });
    await first.call('PATCH', `/v1/keys/${id}`, { body: { enabled: true } });
    expect(await verify(second, key)).toMatchObject({ code: 'VALID' });
  });

  it('each answered verification is counted once, and shows in reads and lists', async () => {
    const { id, key } = await create({ name: 'three' });
    for (const instance of [first, second, first]) await verify(instance, key);
    await first.flush();
    await second.flush();
    const read = await first.call('GET', `/v1/keys/${id}`);
    expect(read.body.usage).toMatchObject({ total: 3, lastDeniedAt: null });
    const usage = await first.call('GET', `/v1/keys/${id}/usage`);
    expect(usage.body).toMatchObject({ total: 3, byCode: { VALID: 3 } });
  });
});
