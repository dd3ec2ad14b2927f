import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';

describe('an instance at its bound', () => {
  let database: TestDatabase;
  let instance: Instance;

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url, { maxInFlight: 20 });
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });

  it('an instance at its bound refuses more with 503 and Retry-After, stays alive, and recovers', async () => {
    const { key } = (await instance.call('POST', '/v1/keys', { body: { name: 'k' } })).body;
    const verify = () => instance.call('POST', '/v1/verify', { body: { key } });
    const verifications = Array.from({ length: 100 }, verify);
    const alive = instance.call('GET', '/livez', { as: null });
    const answers = Map.groupBy(await Promise.all(verifications), ({ status }) => status);
    expect(answers.get(200)).toHaveLength(20);
    const refused = answers.get(503) ?? [];
    expect(refused).toHaveLength(80);
    expect(refused[0]?.body.code).toBe('OVERLOADED');
    expect(refused[0]?.headers['retry-after']).toBe('1');
    expect((await alive).status).toBe(200);
    expect((await verify()).body.code).toBe('VALID');
  });
});
