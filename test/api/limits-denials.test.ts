import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { type Instance, ROOT_KEY } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { callConcurrently, putWorkspace, retryOn503, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';
import { interceptQuery } from '../support/statements.ts';

const DAY_MS = 86_400_000;
/** Transactions of other tests on this server are waited for. */
const OTHERS_WORK = { timeout: 90_000 };
const perMinute = (limit: number) => ({ name: 'per-minute', limit, windowSeconds: 60 });

describe('a cached denial', () => {
  const pair = usePair();
  /** A reset that meets a load is answered 503, and a client asks again. */
  const verify = async (instance: Instance, key: string, cost = 1) =>
    (await retryOn503(instance, 'POST', '/v1/verify', { body: { key, cost } })).body;
  /** Statements that both instances have sent to consume limits and credits. */
  const quotaStatements = async () =>
    (await metric(pair.first, 'keyward_quota_statements_total')) +
    (await metric(pair.second, 'keyward_quota_statements_total'));
  const patch = (id: string, body: object) => pair.first.call('PATCH', `/v1/keys/${id}`, { body });
  const credits = (id: string, operation: string, amount: number) =>
    pair.first.call('POST', `/v1/keys/${id}/credits`, { body: { operation, amount } });

  /** A key that is exhausted, with the denial cached on both instances. */
  const exhausted = async (body: object) => {
    const created = await createKey(pair.first, body);
    for (const instance of [pair.first, pair.second]) {
      while ((await verify(instance, created.key)).valid);
    }
    return created;
  };
  const codes = async (key: string, cost = 1) => [
    (await verify(pair.first, key, cost)).code,
    (await verify(pair.second, key, cost)).code,
  ];

  /** A verification on the second instance that was decided, and whose answer is held back. */
  const heldDenial = async (key: string) => {
    const decided = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const restore = interceptQuery(
      pair.second.service.internals.database,
      'consume_limits',
      async (send) => {
        const rows = await send();
        decided.resolve();
        await released.promise;
        return rows;
      },
    );
    const slow = verify(pair.second, key);
    await decided.promise;
    restore();
    return { slow, letGo: released.resolve };
  };
  /** Raises a limit so that the feed does not name the key, but says that changes were missed. */
  const raiseUnnoticed = async (id: string, units: number) => {
    const client = await connect(pair.databaseUrl);
    await client.query('begin');
    await client.query('update keys set limit_units = array[$2::bigint] where id = $1', [
      id,
      units,
    ]);
    await client.query('delete from change_feed where txid = pg_current_xact_id()');
    await client.query(
      'update feed_pruned set below = (pg_current_xact_id()::text::bigint + 1)::text::xid8',
    );
    await client.query('commit');
    // Each fence resets until no transaction of this server is older than the pruned row.
    const { key } = await createKey(pair.first);
    for (const instance of [pair.first, pair.second]) await verify(instance, key);
  };

  it.each([
    ['RATE_LIMITED', { rateLimits: [perMinute(3)] }],
    ['CREDITS_EXHAUSTED', { credits: { remaining: 3 } }],
  ])('calls with an exhausted key do not reach the database: %s', async (code, body) => {
    const { key } = await exhausted(body);
    const before = await quotaStatements();
    const answers = await callConcurrently(pair, 400, (instance) =>
      instance.call('POST', '/v1/verify', { body: { key } }),
    );
    expect(new Set(answers.map((answer) => answer.body.code))).toEqual(new Set([code]));
    expect(await quotaStatements()).toBe(before);
  });

  it('a cached denial is lifted on every instance by a change of the limit or of the credits', async () => {
    const limited = await exhausted({ rateLimits: [perMinute(3)] });
    await patch(limited.id, { rateLimits: [perMinute(5)] });
    expect(await codes(limited.key)).toEqual(['VALID', 'VALID']);
    expect(await codes(limited.key)).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);

    const poor = await exhausted({ credits: { remaining: 1 } });
    await credits(poor.id, 'add', 2);
    expect(await codes(poor.key)).toEqual(['VALID', 'VALID']);
    expect(await codes(poor.key)).toEqual(['CREDITS_EXHAUSTED', 'CREDITS_EXHAUSTED']);
    await patch(poor.id, { credits: { remaining: 2 } });
    expect(await codes(poor.key)).toEqual(['VALID', 'VALID']);
    expect(await codes(poor.key)).toEqual(['CREDITS_EXHAUSTED', 'CREDITS_EXHAUSTED']);
    await patch(poor.id, { credits: null });
    expect(await codes(poor.key)).toEqual(['VALID', 'VALID']);
  });

  it('a cached denial ends when units become free, and when a refill is due', async () => {
    const limited = await exhausted({ rateLimits: [perMinute(3)] });
    pair.advance(63_001);
    expect(await codes(limited.key)).toEqual(['VALID', 'VALID']);
    const daily = { interval: 'daily', amount: 2 };
    const poor = await exhausted({ credits: { remaining: 1, refill: daily } });
    expect(await codes(poor.key)).toEqual(['CREDITS_EXHAUSTED', 'CREDITS_EXHAUSTED']);
    pair.advance(DAY_MS);
    expect(await codes(poor.key)).toEqual(['VALID', 'VALID']);
    expect(await codes(poor.key)).toEqual(['CREDITS_EXHAUSTED', 'CREDITS_EXHAUSTED']);
  });

  it('a cached denial of a high cost does not deny a lower one, and a cost of 0 is never denied', async () => {
    const { key } = await createKey(pair.first, { rateLimits: [perMinute(5)] });
    expect(await codes(key, 6)).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);
    expect(await codes(key, 2)).toEqual(['VALID', 'VALID']);
    expect(await codes(key, 2)).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);
    expect(await codes(key, 0)).toEqual(['VALID', 'VALID']);
    expect((await verify(pair.second, key, 1)).code).toBe('VALID');
  });

  it('a cached denial keeps the order of the checks: a cost beyond a limit is RATE_LIMITED, whatever the credits', async () => {
    const body = { rateLimits: [perMinute(5)], credits: { remaining: 1 } };
    const { key } = await exhausted(body);
    expect(await codes(key, 2)).toEqual(['CREDITS_EXHAUSTED', 'CREDITS_EXHAUSTED']);
    expect(await codes(key, 5)).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);
  });

  it('a denial that raced with a change of its key is not cached', async () => {
    const { id, key } = await createKey(pair.first, { credits: { remaining: 0 } });
    const { slow, letGo } = await heldDenial(key);
    await credits(id, 'add', 5);
    const passed = await verify(pair.second, key);
    letGo();
    expect(passed.code).toBe('VALID');
    expect((await slow).code).toBe('CREDITS_EXHAUSTED');
    expect((await verify(pair.second, key)).code).toBe('VALID');
  });

  it('a cached denial is lifted by a bulk change that is reported for its workspace only', async () => {
    await putWorkspace(pair.first, 'bulk');
    const { id, key } = await exhausted({ workspaceId: 'bulk', rateLimits: [perMinute(3)] });
    const client = await connect(pair.databaseUrl);
    await client.query(
      `insert into keys (id, workspace_id, name, prefix, scopes, metadata, enabled,
                         created_at, created_by, updated_at)
       select 'bulk_' || n, 'bulk', 'bulk', 'ak_live', '{}', '{}', true, now(), '{}', now()
         from generate_series(1, 1000) n`,
    );
    expect(await codes(key)).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);
    await client.query('begin');
    await client.query(
      `update keys set limit_units = case when id = $1 then '{5}'::bigint[] else limit_units end
        where workspace_id = 'bulk'`,
      [id],
    );
    const { rows } = await client.query(
      'select kind, id from change_feed where txid = pg_current_xact_id()',
    );
    await client.query('commit');
    expect(rows).toEqual([{ kind: 'workspace', id: 'bulk' }]);
    expect(await codes(key)).toEqual(['VALID', 'VALID']);
    expect(await codes(key)).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);
  });

  it('a cached denial is lifted when changes may have been missed', OTHERS_WORK, async () => {
    const { id, key } = await exhausted({ rateLimits: [perMinute(3)] });
    await raiseUnnoticed(id, 5);
    expect(await codes(key)).toEqual(['VALID', 'VALID']);
  });

  it('a denial that raced with a reset is not cached', OTHERS_WORK, async () => {
    const { id, key } = await createKey(pair.first, { rateLimits: [perMinute(3)] });
    await verify(pair.first, key, 3);
    const { slow, letGo } = await heldDenial(key);
    await raiseUnnoticed(id, 9);
    expect((await verify(pair.second, key)).code).toBe('VALID');
    letGo();
    expect((await slow).code).toBe('RATE_LIMITED');
    expect((await verify(pair.second, key)).code).toBe('VALID');
  });

  it('a denial names no time to retry if waiting does not help', async () => {
    const { key } = await createKey(pair.first, { rateLimits: [perMinute(5)] });
    await verify(pair.first, key);
    const authorize = (cost: number) =>
      pair.first.call('GET', '/v1/authorize', {
        as: null,
        headers: {
          'x-keyward-authorization': `Bearer ${ROOT_KEY}; cost=${cost}`,
          'x-api-key': key,
        },
      });
    const beyond = await authorize(6);
    expect([beyond.status, beyond.headers['retry-after']]).toEqual([429, undefined]);
    const early = await authorize(5);
    expect(early.status).toBe(429);
    expect(Number(early.headers['retry-after'])).toBeGreaterThan(55);
  });
});
