import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import type { Answer, Instance } from '../support/instance.ts';
import { createManagementKey, tally, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';
import { recordStatements } from '../support/statements.ts';

interface One {
  key: string;
  cost?: number;
  requiredScopes?: string[];
}

describe('a batch of verifications', () => {
  const pair = usePair();
  const batch = (instance: Instance, requests: readonly object[], as?: string): Promise<Answer> =>
    instance.call('POST', '/v1/verify/batch', { body: { requests }, ...(as && { as }) });
  const codesOf = ({ body }: Answer) => body.results.map(({ code }: { code: string }) => code);

  it('a batch answers 100 requests in their order, each by itself', async () => {
    const good = await createKey(pair.first, { name: 'good', scopes: ['a'] });
    const off = await createKey(pair.first, { name: 'off', enabled: false });
    const kinds: [One, string][] = [
      [{ key: good.key }, 'VALID'],
      [{ key: off.key }, 'DISABLED'],
      [{ key: 'nonsense' }, 'NOT_FOUND'],
      [{ key: good.key, requiredScopes: ['b'] }, 'INSUFFICIENT_SCOPE'],
      [{ key: good.key.replace(/.$/, '_') }, 'NOT_FOUND'],
    ];
    const chosen = Array.from({ length: 100 }, (_, i) => kinds[(i * 7) % kinds.length] ?? kinds[0]);
    const answer = await batch(
      pair.second,
      chosen.map((kind) => kind?.[0] ?? {}),
    );
    expect(codesOf(answer)).toEqual(chosen.map((kind) => kind?.[1]));
    expect(answer.body.results[0]).toMatchObject({ valid: true, keyId: good.id, name: 'good' });
    const single = await pair.second.call('POST', '/v1/verify', { body: chosen[3]?.[0] });
    expect(Object.keys(answer.body.results[3])).toEqual([...Object.keys(single.body), 'errors']);
  });

  it('a batch of 100 uncached keys takes one fence, at most two loads, and far fewer quota statements than keys', async () => {
    const bodies = Array.from({ length: 100 }, (_, i) =>
      i % 2 === 0 ? {} : { credits: { remaining: 5 } },
    );
    const created = await Promise.all(bodies.map((body) => createKeyPatiently(body)));
    const statements = recordStatements(pair.second.service.internals.database);
    const answer = await batch(
      pair.second,
      created.map(({ key }) => ({ key })),
    );
    expect(new Set(codesOf(answer))).toEqual(new Set(['VALID']));
    const counts = Map.groupBy(statements, (name) => name);
    expect(counts.get('fence')).toHaveLength(1);
    expect(counts.get('load_credentials')?.length).toBeLessThanOrEqual(2);
    // Of the 50 with credits. Loaded rows are read in turns, on a slow machine in more of them.
    expect(counts.get('consume_limits')?.length).toBeLessThanOrEqual(10);
    expect([...counts.keys()].sort()).toEqual(['consume_limits', 'fence', 'load_credentials']);
  });

  it('a batch is exact if keys with limits and credits repeat in it, at all kinds of costs', async () => {
    const poor = await createKey(pair.first, { credits: { remaining: 10 } });
    const limited = await createKey(pair.first, {
      rateLimits: [{ name: 'hourly', limit: 8, windowSeconds: 3600 }],
      credits: { remaining: 100 },
    });
    const requests = Array.from({ length: 30 }, (_, i) => ({
      key: i % 2 === 0 ? poor.key : limited.key,
      cost: i % 3,
    }));
    const { body } = await batch(pair.second, requests);
    const spent = (keyId: string) =>
      requests
        .filter((_, i) => body.results[i].keyId === keyId && body.results[i].code === 'VALID')
        .reduce((sum, { cost }) => sum + cost, 0);
    expect([spent(poor.id), spent(limited.id)]).toEqual([10, 8]);
    const read = (await pair.first.call('GET', `/v1/keys/${limited.id}`)).body;
    expect(read.credits.remaining).toBe(92);
    expect(read.rateLimits[0].remaining).toBe(0);
    await pair.flush();
    const usage = (await pair.first.call('GET', `/v1/keys/${limited.id}/usage`)).body;
    expect(usage.total).toBe(15);
  });

  it('concurrent batches over two instances overspend nothing', async () => {
    const { id, key } = await createKey(pair.first, { credits: { remaining: 500 } });
    const hundred = Array.from({ length: 100 }, () => ({ key }));
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => batch(i % 2 ? pair.first : pair.second, hundred)),
    );
    const codes = Map.groupBy(answers.flatMap(codesOf), (code) => code);
    expect(codes.get('VALID')).toHaveLength(500);
    expect(codes.get('CREDITS_EXHAUSTED')).toHaveLength(500);
    expect((await pair.first.call('GET', `/v1/keys/${id}`)).body.credits.remaining).toBe(0);
  });

  it('a batch is refused as a whole if it is empty or too long, and an item that is no verification alone', async () => {
    const { key } = await createKey(pair.first, { credits: { remaining: 5 } });
    const of = (count: number) => Array.from({ length: count }, () => ({ key }));
    const answers = [await batch(pair.first, []), await batch(pair.first, of(101))];
    expect(tally(answers)).toEqual({ '400 INVALID_REQUEST': 2 });
    expect(answers.map(({ body }) => body.errors[0].pointer)).toEqual([
      '/body/requests',
      '/body/requests',
    ]);
    const items = [{ key }, { key, cost: -1 }, { key: `Bearer ${key}` }, {}, { key: '' }];
    const mixed = await batch(pair.first, items);
    expect(mixed.status).toBe(200);
    expect(mixed.body.results).toMatchObject([
      { valid: true, code: 'VALID' },
      { valid: false, code: 'INVALID_REQUEST', errors: [{ pointer: '/cost' }] },
      { valid: false, code: 'KEY_WITH_SCHEME', errors: [{ pointer: '/key' }] },
      { valid: false, code: 'INVALID_REQUEST' },
      { valid: false, code: 'NOT_FOUND' },
    ]);
    const verified = await pair.first.call('POST', '/v1/verify', { body: { key, cost: 4 } });
    expect(verified.body.code).toBe('VALID');
  });

  it('a batch with one request that cannot be decided answers the others, and is 503 if there are no others', async () => {
    const [plain, broken] = [await createKey(pair.first), await createKey(pair.first)];
    const client = await connect(pair.databaseUrl);
    const newer = 'update keys set min_policy_version = 99 where id = $1';
    await client.query(newer, [broken.id]);
    const answer = await batch(pair.second, [{ key: plain.key }, { key: broken.key }]);
    expect(codesOf(answer)).toEqual(['VALID', 'UNAVAILABLE']);
    expect(answer.body.results[1]).toMatchObject({ valid: false, keyId: null, metadata: null });
    const logged = pair.second.logLines.filter((line) => line.includes('batch items not decided'));
    expect(logged.map((line) => JSON.parse(line))).toMatchObject([{ level: 'warn', undecided: 1 }]);
    expect((await batch(pair.second, [{ key: broken.key }])).status).toBe(503);
    await pair.flush();
    const usage = async (id: string) =>
      (await pair.first.call('GET', `/v1/keys/${id}/usage`)).body.total;
    expect([await usage(plain.id), await usage(broken.id)]).toEqual([1, 0]);
  });

  it('a batch requires keys:verify, and shows a caller of one workspace nothing of the others', async () => {
    const { key } = await createKey(pair.first);
    const reader = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    expect((await batch(pair.second, [{ key }], reader.key)).status).toBe(403);
    expect((await batch(pair.second, [{ key }], 'kw_nonsense')).status).toBe(401);
    await pair.first.call('PUT', '/v1/workspaces/other', { body: {} });
    const bound = await createManagementKey(pair.first, {
      permissions: ['keys:verify'],
      workspaceId: 'other',
    });
    const answer = await batch(pair.second, [{ key }, { key: 'nonsense' }], bound.key);
    expect(codesOf(answer)).toEqual(['NOT_FOUND', 'NOT_FOUND']);
    const [known, nonsense] = answer.body.results;
    expect(known).toEqual(nonsense);
  });

  it('an item of a batch that asks a bound caller about another workspace is the mistake of its caller, and no verdict on its key', async () => {
    const { key } = await createKey(pair.first);
    await pair.first.call('PUT', '/v1/workspaces/own', { body: {} });
    const bound = await createManagementKey(pair.first, {
      permissions: ['keys:verify'],
      workspaceId: 'own',
    });
    const asked = ['own', 'default', 'absent'].map((workspaceId) => ({ key, workspaceId }));
    const answer = await batch(pair.second, asked, bound.key);
    expect(codesOf(answer)).toEqual(['NOT_FOUND', 'INVALID_REQUEST', 'INVALID_REQUEST']);
    const [, other, absent] = answer.body.results;
    expect(other.errors).toMatchObject([{ pointer: '/workspaceId' }]);
    expect(other).toEqual(absent);
  });

  /** Issuance is bounded, so that concurrent creations may have to be repeated. */
  async function createKeyPatiently(body: object) {
    for (;;) {
      const created = await createKey(pair.first, body);
      if (created.key) return created;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
});
