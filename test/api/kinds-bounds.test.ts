import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../history/harness/random.ts';
import { bodySchema, type FieldSchema, shownFields } from '../support/described-calls.ts';
import { usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const SEEDS = [1, 2, 3, 4];
const CHANGES = 40;
const MAX_CREDITS = 1_000_000_000_000;
const DAY_MS = 86_400_000;

type Fields = Record<string, unknown>;
/** A call that brings something nearer to a bound, or beyond it. */
type Change = [method: string, path: string, body: Fields];

const texts = (count: number, length: number, letter = 'x') =>
  Array.from({ length: count }, (_, index) => letter.repeat(length - 3) + (100 + index));
const nested = (levels: number): object => (levels === 0 ? {} : { a: nested(levels - 1) });

function metadataChange(random: Random): Fields {
  const name = () => `n${random.between(0, 90)}`;
  return random.pick<() => Fields>([
    () => ({ [name()]: 'x'.repeat(random.pick([10, 1000, 4000, 8100])) }),
    () => Object.fromEntries(texts(30, 5).map((it, index) => [`${it}${index}${name()}`, 1])),
    () => ({ [name()]: nested(random.between(5, 8)) }),
    () => ({ [name()]: null }),
    () => ({ [name()]: '\u{1f511}'.repeat(random.pick([10, 1000, 2000])) }),
  ])();
}

function keyChange(random: Random): Change {
  const amount = () => random.pick([0, 1, 5, MAX_CREDITS - 5, MAX_CREDITS]);
  return random.pick<() => Change>([
    () => ['PATCH', '', { metadata: metadataChange(random) }],
    () => ['PATCH', '', { metadata: metadataChange(random), name: 'x'.repeat(100) }],
    () => ['POST', '/credits', { operation: random.pick(['add', 'set']), amount: amount() }],
    () => ['PATCH', '', { credits: { refill: { interval: 'daily', amount: amount() } } }],
    () => ['PATCH', '', { credits: { remaining: amount() } }],
    () => ['PATCH', '', { resources: texts(100, 256, random.pick(['x', 'é', '鍵'])) }],
    () => ['PATCH', '', { scopes: texts(100, 128) }],
    () => ['PATCH', '', { description: '鍵'.repeat(1000) }],
    () => ['PATCH', '', { expiresInSeconds: 315_360_000 }],
  ])();
}

describe('bounds', () => {
  const pair = usePair();
  const call = (method: string, url: string, body?: unknown) =>
    pair.first.call(method, url, { body });

  const schemas: Record<'create' | 'patch', FieldSchema> = { create: {}, patch: {} };
  beforeAll(async () => {
    schemas.create = await bodySchema(pair.first, 'createKey');
    schemas.patch = await bodySchema(pair.first, 'updateKey');
  });

  /** Whatever it has become, a creation and a patch take the key as it is shown. */
  async function expectAcceptable(id: string) {
    const { body: shown } = await call('GET', `/v1/keys/${id}`);
    const created = shownFields(schemas.create, shown);
    const again = await call('POST', '/v1/keys', created);
    expect([again.status, again.body.errors]).toEqual([201, undefined]);
    const patch = shownFields(schemas.patch, shown);
    const patched = await call('PATCH', `/v1/keys/${id}`, patch);
    expect([patched.status, patched.body.errors]).toEqual([200, undefined]);
  }

  it.each(SEEDS)(
    'no sequence of changes brings a key beyond what a creation accepts (seed %i)',
    async (seed) => {
      const random = new Random(seed);
      const { id } = await createKey(pair.first, { credits: { remaining: 1 } });
      const refused = new Set<number>();
      for (let changes = 0; changes < CHANGES; changes++) {
        const [method, path, body] = keyChange(random);
        const { status } = await call(method, `/v1/keys/${id}${path}`, body);
        if (status === 400 || status === 413) refused.add(status);
        else expect([status, method, path]).toEqual([200, method, path]);
        if (random.chance(0.1)) pair.advance(DAY_MS);
        if (random.chance(0.3)) await expectAcceptable(id);
      }
      await expectAcceptable(id);
      expect(refused).toContain(400);
    },
  );

  it('no import brings a key beyond what a creation and a patch accept, although its body may be larger', async () => {
    const value = (text: string) => createHash('sha256').update(text).digest('hex');
    const items = ['x', 'é', '鍵', '\u{1f511}'].map((letter) => ({
      name: 'large',
      resources: texts(100, 200, letter),
      scopes: texts(100, 128),
      metadata: { a: 'x'.repeat(8000) },
      hash: { algorithm: 'sha256', value: value(letter) },
    }));
    const { body } = await call('POST', '/v1/keys/import', { keys: items });
    const statuses = body.results.map(({ status }: { status: string }) => status);
    expect(statuses).toEqual(['created', 'invalid', 'invalid', 'invalid']);
    expect(body.results[1].errors).toEqual([expect.objectContaining({ pointer: '' })]);
    await expectAcceptable(body.results[0].keyId);
  });

  it('no put or patch brings a workspace beyond what a put of what it shows accepts', async () => {
    const schema = await bodySchema(pair.first, 'putWorkspace');
    let accepted = 0;
    for (let scopes = 90; scopes < 130; scopes += 2) {
      const availableScopes = texts(scopes, 20).map((scope) => ({
        scope,
        title: 't'.repeat(100),
        description: 'd'.repeat(400),
      }));
      const { status } = await call('PUT', '/v1/workspaces/large', { availableScopes });
      if (status >= 400) break;
      accepted++;
      await call('PATCH', '/v1/workspaces/large', { name: '鍵'.repeat(100), maxActiveKeys: 1e7 });
      const { body: shown } = await call('GET', '/v1/workspaces/large');
      const again = await call('PUT', '/v1/workspaces/large', shownFields(schema, shown));
      expect([scopes, again.status]).toEqual([scopes, 200]);
    }
    expect(accepted).toBeGreaterThan(5);
  });
});
