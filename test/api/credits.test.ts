import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import type { Instance } from '../support/instance.ts';
import { callConcurrently, retryOn503, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey } from '../support/sql-keys.ts';

const DAY_MS = 86_400_000;

describe('credits', () => {
  const pair = usePair();
  const verify = async (instance: Instance, key: string, cost = 1) =>
    (await instance.call('POST', '/v1/verify', { body: { key, cost } })).body;
  const read = async (id: string) => (await pair.second.call('GET', `/v1/keys/${id}`)).body;
  const change = (id: string, operation: string, amount: number) =>
    pair.first.call('POST', `/v1/keys/${id}/credits`, { body: { operation, amount } });
  const patch = (id: string, credits: object | null) =>
    pair.first.call('PATCH', `/v1/keys/${id}`, { body: { credits } });

  it('credits are added, subtracted down to 0, and set, with effect on every instance once answered', async () => {
    const { id, key } = await createKey(pair.first, { credits: { remaining: 10 } });
    expect((await change(id, 'add', 5)).body.credits.remaining).toBe(15);
    expect((await verify(pair.second, key)).credits).toEqual({ remaining: 14 });
    expect((await change(id, 'subtract', 10)).body.credits.remaining).toBe(4);
    expect((await change(id, 'subtract', 10)).body.credits.remaining).toBe(0);
    expect((await verify(pair.second, key)).code).toBe('CREDITS_EXHAUSTED');
    expect((await change(id, 'set', 2)).body.credits.remaining).toBe(2);
    expect((await verify(pair.second, key, 2)).code).toBe('VALID');
  });

  it('credits cannot be changed if they are not limited, or if the key is revoked', async () => {
    const { id } = await createKey(pair.first);
    expect(await change(id, 'add', 1)).toMatchObject({
      status: 409,
      body: { code: 'CREDITS_UNLIMITED' },
    });
    const limited = await createKey(pair.first, { credits: { remaining: 1 } });
    await pair.first.call('POST', `/v1/keys/${limited.id}/revoke`);
    expect(await change(limited.id, 'add', 1)).toMatchObject({
      status: 409,
      body: { code: 'KEY_REVOKED' },
    });
  });

  it('credits are exact: initial + added − subtracted − spent, with 200 verifications on each instance meanwhile', async () => {
    const { id, key } = await createKey(pair.first, { credits: { remaining: 300 } });
    const verifications = callConcurrently(pair, 400, (instance) =>
      instance.call('POST', '/v1/verify', { body: { key } }),
    );
    const changes = callConcurrently(pair, 30, (instance, index) =>
      retryOn503(instance, 'POST', `/v1/keys/${id}/credits`, {
        body: { operation: index % 3 === 0 ? 'subtract' : 'add', amount: 7 },
        headers: { 'idempotency-key': `${id}-${index}` },
      }),
    );
    const spent = (await verifications).filter(({ body }) => body.code === 'VALID').length;
    const answers = await changes;
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const audit = await pair.first.call('GET', `/v1/audit-events?targetId=${id}&limit=200`);
    const moved = audit.body.data
      .filter(({ action }: { action: string }) => action === 'key.credits_changed')
      .map(({ before, after }: Balances) => after.credits - before.credits);
    expect(moved).toHaveLength(30);
    const sum = moved.reduce((total: number, each: number) => total + each, 0);
    expect((await read(id)).credits.remaining).toBe(300 + sum - spent);
  });

  it('an addition beyond what can be counted exactly is refused and leaves the balance', async () => {
    const { id, key } = await createKey(pair.first, { credits: { remaining: 1 } });
    const client = await connect(pair.databaseUrl);
    const most = Number.MAX_SAFE_INTEGER;
    await client.query('update key_consumption set credits = $2 where key_id = $1', [id, most]);
    for (const amount of [1, 2, 1_000_000_000_000]) {
      expectProblem(await change(id, 'add', amount), {
        status: 400,
        code: 'INVALID_REQUEST',
        pointer: '/body/amount',
      });
    }
    expect((await read(id)).credits.remaining).toBe(most);
    const audit = await pair.first.call('GET', `/v1/audit-events?targetId=${id}`);
    expect(audit.body.data).toMatchObject([{ action: 'key.created' }]);
    expect(await verify(pair.second, key)).toMatchObject({ credits: { remaining: most - 1 } });
  });

  it('a change of credits that is repeated with its Idempotency-Key takes effect once', async () => {
    const { id } = await createKey(pair.first, { credits: { remaining: 10 } });
    const options = {
      body: { operation: 'add', amount: 5 },
      headers: { 'idempotency-key': `once-${id}` },
    };
    for (const instance of [pair.first, pair.second, pair.first]) {
      const answer = await instance.call('POST', `/v1/keys/${id}/credits`, options);
      expect(answer.body.credits.remaining).toBe(15);
    }
    expect((await read(id)).credits.remaining).toBe(15);
  });

  it('a PATCH sets a balance, keeps it if it is left out, and lifts the limit with null', async () => {
    const { id, key } = await createKey(pair.first, { credits: { remaining: 10 } });
    await verify(pair.second, key, 3);
    const daily = { interval: 'daily', amount: 50 };
    const kept = await patch(id, { refill: daily });
    expect(kept.body.credits).toMatchObject({ remaining: 7, refill: { interval: 'daily' } });
    expect((await patch(id, { remaining: 2 })).body.credits).toMatchObject({
      remaining: 2,
      refill: { interval: 'daily', amount: 50 },
    });
    expect((await verify(pair.second, key, 3)).code).toBe('CREDITS_EXHAUSTED');
    expect((await patch(id, null)).body.credits).toBeNull();
    expect(await verify(pair.second, key, 1000)).toMatchObject({ code: 'VALID', credits: null });
    const missing = await patch(id, {});
    expect(missing.status).toBe(400);
    expect(missing.body.errors[0].pointer).toBe('/body/credits/remaining');
  });

  it('a refill sets the balance at midnight UTC, once, and reads and verifications agree on it', async () => {
    const refill = { interval: 'daily', amount: 5 };
    const { id, key } = await createKey(pair.first, { credits: { remaining: 20, refill } });
    const { credits } = await read(id);
    expect(credits.remaining).toBe(20);
    expect(credits.refill.nextAt).toMatch(/T00:00:00.000Z$/);
    pair.advance(DAY_MS);
    expect((await read(id)).credits.remaining).toBe(5);
    expect(await verify(pair.first, key, 2)).toMatchObject({ credits: { remaining: 3 } });
    expect(await verify(pair.second, key, 2)).toMatchObject({ credits: { remaining: 1 } });
    expect((await verify(pair.second, key, 2)).code).toBe('CREDITS_EXHAUSTED');
    pair.advance(DAY_MS);
    expect(await verify(pair.second, key, 2)).toMatchObject({ credits: { remaining: 3 } });
  });

  it('a list shows balances, limits and refills as a read does', async () => {
    const { id, key } = await createKey(pair.first, {
      name: 'listed',
      credits: { remaining: 9, refill: { interval: 'monthly', amount: 5, dayOfMonth: 31 } },
      rateLimits: [{ name: 'daily', limit: 10, windowSeconds: 86_400 }],
    });
    await verify(pair.first, key, 4);
    const one = await read(id);
    expect(one.credits.remaining).toBe(5);
    expect(one.rateLimits[0]).toMatchObject({ remaining: 6, resetAt: expect.any(String) });
    const { data } = (await pair.first.call('GET', '/v1/keys?search=listed')).body;
    expect(data[0].credits).toEqual(one.credits);
    expect(data[0].rateLimits).toEqual(one.rateLimits);
  });

  it('a change of the refill schedule keeps the balance that was shown', async () => {
    const refill = { interval: 'daily', amount: 100 };
    const { id, key } = await createKey(pair.first, { credits: { remaining: 5, refill } });
    pair.advance(DAY_MS);
    expect((await read(id)).credits.remaining).toBe(100);
    const monthly = { interval: 'monthly', amount: 1000, dayOfMonth: 31 };
    const changed = await patch(id, { refill: monthly });
    expect(changed.body.credits).toMatchObject({ remaining: 100, refill: monthly });
    expect((await verify(pair.second, key)).credits).toEqual({ remaining: 99 });
  });

  it('a change of credits starts from the balance that a due refill has set', async () => {
    const refill = { interval: 'daily', amount: 100 };
    const { id, key } = await createKey(pair.first, { credits: { remaining: 5, refill } });
    pair.advance(DAY_MS);
    expect((await change(id, 'subtract', 30)).body.credits.remaining).toBe(70);
    expect((await verify(pair.second, key)).credits).toEqual({ remaining: 69 });
  });

  it('credits are shared by the retiring and the current string, and a rotation refills nothing', async () => {
    const rateLimits = [{ name: 'hourly', limit: 10, windowSeconds: 3600 }];
    const { id, key } = await createKey(pair.first, { credits: { remaining: 6 }, rateLimits });
    await verify(pair.first, key, 3);
    const body = { graceSeconds: 600 };
    const rotated = (await pair.first.call('POST', `/v1/keys/${id}/rotate`, { body })).body;
    expect(rotated.credits.remaining).toBe(3);
    expect(rotated.rateLimits[0].remaining).toBe(7);
    expect((await verify(pair.second, rotated.key)).credits).toEqual({ remaining: 2 });
    expect((await verify(pair.second, key, 2)).credits).toEqual({ remaining: 0 });
    expect((await verify(pair.second, rotated.key)).code).toBe('CREDITS_EXHAUSTED');
  });

  it('explain shows what is exhausted, and spends nothing', async () => {
    const rateLimits = [{ name: 'hourly', limit: 5, windowSeconds: 3600 }];
    const { id, key } = await createKey(pair.first, { credits: { remaining: 3 }, rateLimits });
    const explain = async (cost: number) =>
      (await pair.second.call('POST', `/v1/keys/${id}/explain`, { body: { cost } })).body.code;
    expect(await explain(3)).toBe('VALID');
    expect(await explain(4)).toBe('CREDITS_EXHAUSTED');
    expect(await explain(6)).toBe('RATE_LIMITED');
    await verify(pair.first, key, 3);
    expect(await explain(1)).toBe('CREDITS_EXHAUSTED');
    expect(await explain(0)).toBe('VALID');
    const { credits, rateLimits: limits, usage } = await read(id);
    expect([credits.remaining, limits[0].remaining, usage.total]).toEqual([0, 2, 0]);
  });

  it('usage counts denied verifications under their verdict, cached denials too', async () => {
    const { id, key } = await createKey(pair.first, { credits: { remaining: 2 } });
    await callConcurrently(pair, 10, (instance) =>
      instance.call('POST', '/v1/verify', { body: { key } }),
    );
    await pair.flush();
    const usage = await pair.first.call('GET', `/v1/keys/${id}/usage`);
    expect(usage.body).toMatchObject({ total: 10, byCode: { VALID: 2, CREDITS_EXHAUSTED: 8 } });
  });
});

interface Balances {
  before: { credits: number };
  after: { credits: number };
}
