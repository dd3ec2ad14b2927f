import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';

describe('limits and credits', () => {
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

  const create = async (body: object) => {
    const made = await first.call('POST', '/v1/keys', { body: { name: 'limited', ...body } });
    expect(made.status).toBe(201);
    return made.body;
  };
  const verify = async (instance: Instance, key: string, more: object = {}) =>
    (await instance.call('POST', '/v1/verify', { body: { key, ...more } })).body;
  const codes = async (key: string, calls: number) => {
    const all = Array.from({ length: calls }, (_, i) => verify(i % 2 ? first : second, key));
    return Map.groupBy(await Promise.all(all), (answer) => answer.code);
  };

  it('of 300 concurrent verifications over two instances exactly 100 consume 100 credits', async () => {
    const { id, key } = await create({ credits: { remaining: 100 } });
    const answers = await codes(key, 300);
    expect(answers.get('VALID')).toHaveLength(100);
    expect(answers.get('CREDITS_EXHAUSTED')).toHaveLength(200);
    const read = await first.call('GET', `/v1/keys/${id}`);
    expect(read.body.credits).toEqual({ remaining: 0, refill: null });
    const topped = await first.call('POST', `/v1/keys/${id}/credits`, {
      body: { operation: 'add', amount: 5 },
    });
    expect(topped.body.credits.remaining).toBe(5);
    expect(await verify(second, key)).toMatchObject({ code: 'VALID', credits: { remaining: 4 } });
  });

  it('of 300 concurrent verifications over two instances exactly 50 pass a limit of 50', async () => {
    const { id, key } = await create({
      rateLimits: [{ name: 'per-minute', limit: 50, windowSeconds: 60 }],
    });
    const answers = await codes(key, 300);
    expect(answers.get('VALID')).toHaveLength(50);
    expect(answers.get('RATE_LIMITED')).toHaveLength(250);
    const read = await first.call('GET', `/v1/keys/${id}`);
    expect(read.body.rateLimits).toMatchObject([{ name: 'per-minute', remaining: 0 }]);
  });

  it('a denied verification consumes nothing of the other limits', async () => {
    const { key } = await create({
      rateLimits: [
        { name: 'small', limit: 1, windowSeconds: 60 },
        { name: 'large', limit: 10, windowSeconds: 60 },
      ],
      credits: { remaining: 10 },
    });
    await verify(first, key);
    expect(await verify(first, key)).toMatchObject({
      code: 'RATE_LIMITED',
      credits: { remaining: 9 },
      rateLimits: [
        { name: 'small', remaining: 0, exceeded: true },
        { name: 'large', remaining: 9, exceeded: false },
      ],
    });
    expect(await verify(first, key, { cost: 0 })).toMatchObject({ code: 'VALID' });
  });
});
