import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';

describe('imported keys', () => {
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

  const verify = async (instance: Instance, key: string) =>
    (await instance.call('POST', '/v1/verify', { body: { key } })).body;
  const importKeys = (keys: object[]) => first.call('POST', '/v1/keys/import', { body: { keys } });
  const sha = (algorithm: string, key: string, form: 'hex' | 'base64' = 'hex') => ({
    algorithm,
    value: createHash(algorithm).update(key).digest(form),
  });

  it('are NOT_FOUND before their import and VALID on every instance after it', async () => {
    expect(await verify(second, 'old-key-1')).toMatchObject({ code: 'NOT_FOUND' });
    const report = await importKeys([
      { name: 'one', hash: sha('sha256', 'old-key-1') },
      { name: 'two', hash: sha('sha512', 'old-key-2', 'base64'), scopes: ['a'] },
    ]);
    expect(report.body).toMatchObject({ created: 2, duplicates: 0, invalid: 0 });
    const [one] = report.body.results;
    expect(await verify(second, 'old-key-1')).toMatchObject({ code: 'VALID', keyId: one.keyId });
    expect(await verify(second, 'old-key-2')).toMatchObject({ code: 'VALID', scopes: ['a'] });
    expect(await verify(second, 'old-key-3')).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('duplicates and refused items are reported and keep nobody out', async () => {
    const same = { name: 'three', hash: sha('sha256', 'old-key-4') };
    const report = await importKeys([
      same,
      same,
      { name: 'known', hash: sha('sha256', 'old-key-1') },
      { name: 'past', hash: sha('sha256', 'old-key-5'), expiresAt: '2020-01-01T00:00:00Z' },
    ]);
    expect(report.body.results.map((result: { status: string }) => result.status)).toEqual([
      'created',
      'duplicate',
      'duplicate',
      'invalid',
    ]);
    expect(report.body.results[3].errors[0].pointer).toBe('/expiresAt');
  });

  it('rotate into the native format and keep their identity', async () => {
    const { body } = await importKeys([{ name: 'old', hash: sha('sha256', 'old-key-6') }]);
    const { keyId } = body.results[0];
    const rotated = await first.call('POST', `/v1/keys/${keyId}/rotate`, {
      body: { graceSeconds: 60 },
    });
    expect(rotated.body.key).toMatch(/^ak_live_/);
    expect(await verify(second, rotated.body.key)).toMatchObject({ code: 'VALID', keyId });
    expect(await verify(second, 'old-key-6')).toMatchObject({
      code: 'VALID',
      rotation: { retiring: true },
    });
  });
});
