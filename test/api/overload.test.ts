import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { heapLimit, memoryBudget } from '../../src/lib/memory-budget.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { createManagementKey, putWorkspace } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey, verdict, verify } from '../support/sql-keys.ts';
import { holdFences, interceptQuery } from '../support/statements.ts';

const BOUND = 20;
/** Of one caller. */
const SHARE = 15;
const BATCH = 100;

describe('an instance at its bound', () => {
  let database: TestDatabase;
  let instance: Instance;

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url, { maxInFlight: BOUND });
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });

  it('an instance at its bound refuses more with 503 and Retry-After, stays alive, and recovers', async () => {
    const { key } = await createKey(instance);
    const verifications = Array.from({ length: 100 }, () => verify(instance, key));
    const alive = instance.call('GET', '/livez', { as: null });
    const answers = Map.groupBy(await Promise.all(verifications), ({ status }) => status);
    expect(answers.get(200)).toHaveLength(SHARE);
    const refused = answers.get(503) ?? [];
    expect(refused).toHaveLength(100 - SHARE);
    expect(refused[0]?.body.code).toBe('OVERLOADED');
    expect(refused[0]?.headers['retry-after']).toBe('1');
    expect(refused[0]?.headers['x-request-id']).toBe(refused[0]?.body.requestId);
    expect((await alive).status).toBe(200);
    expect(await requestsAtWork()).toBe(0);
    expect(await verdict(instance, key)).toBe('VALID');
  });

  it('the management keys of one workspace together take three quarters of the places at most, so that every other caller finds one', async () => {
    await putWorkspace(instance, 'busy');
    const bound = { workspaceId: 'busy', permissions: ['keys:verify'] } as const;
    const [first, second] = [
      (await createManagementKey(instance, bound)).key,
      (await createManagementKey(instance, bound)).key,
    ];
    const { key: other } = await createManagementKey(instance, { permissions: ['keys:verify'] });
    const ask = (as: string) =>
      instance.call('POST', '/v1/verify', { as, body: { key: 'unknown' } });
    for (const as of [first, second, other]) expect((await ask(as)).status).toBe(200);
    const release = holdFences(instance.service.internals.database);
    const crowd = Array.from({ length: BOUND }, (_, i) => ask(i % 2 ? first : second));
    await expect.poll(requestsAtWork, { interval: 5 }).toBe(SHARE);
    const others = Array.from({ length: BOUND - SHARE }, () => ask(other));
    await expect.poll(requestsAtWork, { interval: 5 }).toBe(BOUND);
    release();
    const statuses = async (answers: typeof crowd) =>
      (await Promise.all(answers)).map(({ status }) => status).sort();
    expect(await statuses(crowd)).toEqual([
      ...Array(SHARE).fill(200),
      ...Array(BOUND - SHARE).fill(503),
    ]);
    expect(await statuses(others)).toEqual(others.map(() => 200));
  });

  const requestsAtWork = async () => {
    const { text } = await instance.call('GET', '/metrics');
    return Number(/^keyward_bound_used\{bound="requests"\} (.*)$/m.exec(text)?.[1]);
  };

  it.each([
    [500, 'INTERNAL', () => new Error('a surprise')],
    [503, 'UNAVAILABLE', () => Object.assign(new Error('lost'), { code: 'ECONNRESET' })],
  ])('a request that ends with %i %s frees its place', async (status, code, error) => {
    const rateLimits = [{ name: 'minute', limit: 1000, windowSeconds: 60 }];
    const { key } = await createKey(instance, { rateLimits });
    const restore = interceptQuery(instance.service.internals.database, 'consume_limits', () => {
      throw error();
    });
    onTestFinished(restore);
    for (let i = 0; i < 2 * BOUND; i++) {
      expectProblem(await verify(instance, key), { status, code });
    }
    restore();
    expect(await requestsAtWork()).toBe(0);
    expect(await verdict(instance, key)).toBe('VALID');
  });

  it.each([
    [400, { body: '{' }],
    [401, { body: { key: 'x' }, as: 'nobody' }],
    [413, { body: { key: 'x'.repeat(70_000) } }],
    [415, { body: 'x', headers: { 'content-type': 'text/plain' } }],
  ])('a request that is refused with %i frees its place', async (status, options) => {
    for (let i = 0; i < 2 * BOUND; i++) {
      expect((await instance.call('POST', '/v1/verify', options)).status).toBe(status);
    }
    expect(await requestsAtWork()).toBe(0);
    expect(await verdict(instance, 'x')).toBe('NOT_FOUND');
  });

  it('one caller with too many items in batches is refused with 503, and another one is answered', async () => {
    const memory = { ...memoryBudget(heapLimit()), waiting: BOUND + 4 * BATCH };
    const small = await launch(database.url, { maxInFlight: BOUND, memory });
    onTestFinished(small.stop);
    const { key: other } = await createManagementKey(small, { permissions: ['keys:verify'] });
    const requests = Array.from({ length: BATCH }, () => ({ key: 'unknown' }));
    const ask = (as?: string) =>
      small.call('POST', '/v1/verify/batch', { body: { requests }, ...(as && { as }) });
    await ask(other);
    const restore = interceptQuery(small.service.internals.database, 'fence', async (send) => {
      await gate.promise;
      return send();
    });
    const gate = Promise.withResolvers<void>();
    const answers = [...Array.from({ length: 5 }, () => ask()), ask(other)];
    restore();
    gate.resolve();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 200, 503, 503, 200]);
  });
});
