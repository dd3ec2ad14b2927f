import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import { type ConsumeAnswer, consume } from '../support/consume.ts';
import { connect } from '../support/database.ts';
import { usePair } from '../support/pair.ts';
import { type CreatedKey, createKey } from '../support/sql-keys.ts';

/** KEYWARD_TEST_BATCHES sets more: 10,000 take half a minute. */
const BATCHES = Number(process.env.KEYWARD_TEST_BATCHES ?? 1000);
const CONNECTIONS = 6;
const KEYS = 12;
const CREDITS = 1_000_000;

describe('batches with keys in any order, beside changes of the same keys', () => {
  const pair = usePair();

  const shuffled = <T>(items: readonly T[]) =>
    items
      .map((item) => ({ item, place: Math.random() }))
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item);

  /** Repeatedly consumes one credit of a few keys; returns how often each was consumed. */
  async function spend(client: pg.Client, keys: CreatedKey[], batches: number) {
    const spent = new Map<string, number>();
    const instance = randomUUID();
    for (let sequence = 1; sequence <= batches; sequence++) {
      const chosen = shuffled(keys).slice(0, 2 + (sequence % (KEYS - 1)));
      const entries = chosen.map(({ id }) => ({ key: id, cost: 1 }));
      const answer: ConsumeAnswer = await consume(client, entries, 0, { instance, sequence });
      answer.codes.forEach((code, i) => {
        const key = entries[i]?.key ?? '';
        if (code === 0) spent.set(key, (spent.get(key) ?? 0) + 1);
      });
    }
    return spent;
  }

  it(`${BATCHES} batches with keys in any order beside changes of them do not deadlock, and each balance is exact`, async () => {
    const limits = [{ name: 'a', limit: 100_000_000, windowSeconds: 60 }];
    const body = { credits: { remaining: CREDITS }, rateLimits: limits };
    const keys = await Promise.all(Array.from({ length: KEYS }, () => createKey(pair.first, body)));
    const clients = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => connect(pair.databaseUrl)),
    );
    let spending = true;
    const added = new Map<string, number>();
    const change = async (instance: typeof pair.first) => {
      for (let round = 0; spending; round++) {
        for (const { id } of shuffled(keys)) {
          const credits = { operation: 'add', amount: 1 };
          const answer = await instance.call('POST', `/v1/keys/${id}/credits`, { body: credits });
          expect(answer.status).toBe(200);
          added.set(id, (added.get(id) ?? 0) + 1);
          const names = round % 2 === 0 ? ['b', 'a'] : ['a'];
          const rateLimits = names.map((name) => ({ ...limits[0], name }));
          const patched = await instance.call('PATCH', `/v1/keys/${id}`, { body: { rateLimits } });
          expect(patched.status).toBe(200);
        }
      }
    };
    const changing = [change(pair.first), change(pair.second)];
    const share = Math.ceil(BATCHES / CONNECTIONS);
    const spent = await Promise.all(clients.map((client) => spend(client, keys, share))).finally(
      () => {
        spending = false;
      },
    );
    await Promise.all(changing);
    for (const { id } of keys) {
      const own = spent.reduce((sum, counts) => sum + (counts.get(id) ?? 0), 0);
      const { body: read } = await pair.first.call('GET', `/v1/keys/${id}`);
      expect(read.credits.remaining).toBe(CREDITS + (added.get(id) ?? 0) - own);
    }
    const [client] = clients;
    const stats = await client?.query(
      'select deadlocks::int from pg_stat_database where datname = current_database()',
    );
    expect(stats?.rows).toEqual([{ deadlocks: 0 }]);
  }, 180_000);
});
