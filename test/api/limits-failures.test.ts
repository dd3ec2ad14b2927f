import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import type { Instance } from '../support/instance.ts';
import { callConcurrently, tally, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';
import { interceptQuery } from '../support/statements.ts';

/** Errors as Postgres and its driver throw them. */
const cut = () => new Error('Connection terminated unexpectedly');
const deadlock = () => Object.assign(new Error('deadlock detected'), { code: '40P01' });

describe('limits when the database fails', () => {
  const pair = usePair();
  const verify = (instance: Instance, key: string) =>
    instance.call('POST', '/v1/verify', { body: { key } });
  const remaining = async (id: string) =>
    (await pair.first.call('GET', `/v1/keys/${id}`)).body.credits.remaining;
  const database = () => pair.first.service.internals.database;
  const limited = () =>
    createKey(pair.first, {
      credits: { remaining: 100 },
      rateLimits: [{ name: 'per-minute', limit: 100, windowSeconds: 60 }],
    });

  it('a quota batch whose answer was lost after its commit consumes once, and is answered', async () => {
    const { id, key } = await limited();
    const lost = new Set<string>();
    const restore = interceptQuery(
      database(),
      'consume_limits',
      async (send, [, lane, sequence]) => {
        const rows = await send();
        const batch = `${lane} ${sequence}`;
        if (lost.has(batch)) return rows;
        lost.add(batch);
        throw cut();
      },
    );
    const answers = await callConcurrently(pair, 60, (instance) => verify(instance, key));
    restore();
    expect(lost.size).toBeGreaterThan(0);
    expect(answers.map(({ body }) => body.code)).toEqual(answers.map(() => 'VALID'));
    expect(await remaining(id)).toBe(40);
  });

  it('a quota batch that was the victim of a deadlock is sent again', async () => {
    const { id, key } = await limited();
    let failed = false;
    const restore = interceptQuery(database(), 'consume_limits', async (send) => {
      if (failed) return send();
      failed = true;
      throw deadlock();
    });
    expect((await verify(pair.first, key)).body.code).toBe('VALID');
    restore();
    expect(await remaining(id)).toBe(99);
  });

  it('no key is VALID while quota batches are not answered: 503 with Retry-After, and nothing is consumed', async () => {
    const { id, key } = await limited();
    const restore = interceptQuery(database(), 'consume_limits', () => Promise.reject(cut()));
    const calls = Array.from({ length: 50 }, () => verify(pair.first, key));
    const answers = await Promise.all(calls);
    restore();
    expect(tally(answers)).toEqual({ '503 UNAVAILABLE': 50 });
    expect(answers[0]?.headers['retry-after']).toBeDefined();
    expect(await remaining(id)).toBe(100);
    expect((await verify(pair.first, key)).body.code).toBe('VALID');
  });

  it('an answer of another incarnation of the database is discarded', async () => {
    const { key } = await limited();
    const restore = interceptQuery(database(), 'consume_limits', async (send) => {
      const rows = await send();
      return rows.map((row) => ({
        ...row,
        answer: JSON.stringify({ ...JSON.parse(String(row.answer)), incarnation: 'another' }),
      }));
    });
    expect((await verify(pair.first, key)).status).toBe(503);
    restore();
  });

  it('a key without a quota row is 503, and does not keep other keys from their answers', async () => {
    const [broken, whole] = [await limited(), await limited()];
    const client = await connect(pair.databaseUrl);
    await client.query('delete from key_consumption where key_id = $1', [broken.id]);
    const [first, second] = await Promise.all([
      verify(pair.first, broken.key),
      verify(pair.first, whole.key),
    ]);
    expect(first.status).toBe(503);
    expect(second.body.code).toBe('VALID');
  });

  it('a key with limits requires policy version 2, and an instance that knows less answers 503', async () => {
    const { id, key } = await limited();
    const client = await connect(pair.databaseUrl);
    const version = 'select min_policy_version as version from keys where id = $1';
    expect((await client.query(version, [id])).rows).toEqual([{ version: 2 }]);
    await client.query('update keys set min_policy_version = 99 where id = $1', [id]);
    for (const instance of [pair.first, pair.second]) {
      expect((await verify(instance, key)).status).toBe(503);
    }
    expect(await remaining(id)).toBe(100);
    const plain = await createKey(pair.first);
    expect((await client.query(version, [plain.id])).rows).toEqual([{ version: 1 }]);
  });
});
