import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, ROOT_KEY } from '../support/instance.ts';

describe('the root key in a text', () => {
  let database: TestDatabase;
  let instance: Instance;

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url);
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });

  const create = (name: string, headers: Record<string, string> = {}) =>
    instance.call('POST', '/v1/keys', { body: { name }, headers });

  it('the root key is refused wherever it would be stored', async () => {
    expect((await create(`my ${ROOT_KEY}`)).body.code).toBe('CONTAINS_KEY');
    expect((await create('k', { 'keyward-actor': ROOT_KEY })).body.code).toBe('CONTAINS_KEY');
    const withKey = await create('k', { 'idempotency-key': ROOT_KEY });
    expect(withKey.status).toBe(400);
  });

  it('the root key is not used as a request id, so it is neither logged nor echoed', async () => {
    const answer = await create('k', { 'x-request-id': ROOT_KEY });
    expect(answer.status).toBe(201);
    expect(answer.headers['x-request-id']).toMatch(/^req_/);
    expect(instance.logLines.join('')).not.toContain(ROOT_KEY);
  });
});
