import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { base62, forgeKey, partsOf, readChecksumKey } from '../support/forged-key.ts';
import { type Instance, launch } from '../support/instance.ts';
import { metric, usedBounds } from '../support/metrics.ts';
import { createKey, verdict, verify } from '../support/sql-keys.ts';
import { interceptQuery } from '../support/statements.ts';
import { warmKey } from '../support/warm.ts';

const CROWD = 5;
const SOON = { timeout: 10_000, interval: 5 };

let database: TestDatabase;
let instance: Instance;
let before: Map<string, number>;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});
beforeEach(async () => {
  before = await usedBounds(instance);
});

/** Which bounds are used more than before the test, or less, and by how much. */
async function changes(): Promise<Record<string, number>> {
  const differences = [...(await usedBounds(instance))].map(([name, used]) => [
    name,
    used - (before.get(name) ?? 0),
  ]);
  return Object.fromEntries(differences.filter(([, difference]) => difference !== 0));
}

/** Statements of one name do not reach the database until they are let through, or the test ends. */
function hold(name: string) {
  const gate = Promise.withResolvers<void>();
  const undo = interceptQuery(instance.service.internals.database, name, async (send) => {
    await gate.promise;
    return send();
  });
  const release = () => {
    undo();
    gate.resolve();
  };
  onTestFinished(release);
  return release;
}

/** Two verifications in a statement each that is held, and a crowd that waits behind them. */
async function fillBatches(key: string, counter: string): Promise<Promise<string>[]> {
  const sent = () => metric(instance, counter);
  const asked: Promise<string>[] = [];
  for (const before = await sent(); asked.length < 2; ) {
    asked.push(verdict(instance, key));
    await vi.waitUntil(async () => (await sent()) === before + asked.length, SOON);
  }
  return [...asked, ...Array.from({ length: CROWD }, () => verdict(instance, key))];
}

describe('what is used of each bound', () => {
  it('requests under way count as requests until they are answered', async () => {
    const release = hold('fence');
    const asked = Array.from({ length: CROWD }, () => verdict(instance, 'unknown'));
    await vi.waitUntil(async () => (await changes()).requests === CROWD, SOON);
    release();
    await Promise.all(asked);
    expect((await changes()).requests).toBeUndefined();
  });

  it('verifications that wait for a load beyond the two under way count as loads_waiting', async () => {
    const { key } = await createKey(instance);
    const release = hold('load_credentials');
    const asked = await fillBatches(key, 'keyward_credential_loads_total');
    await vi.waitUntil(async () => (await changes()).loads_waiting === CROWD, SOON);
    release();
    await Promise.all(asked);
    expect((await changes()).loads_waiting).toBeUndefined();
  });

  it('verifications that wait to consume credits beyond the two batches under way count as quota_requests_waiting', async () => {
    const { key } = await createKey(instance, { credits: { remaining: 100 } });
    await verdict(instance, key);
    await verdict(instance, key);
    const release = hold('consume_limits');
    const asked = await fillBatches(key, 'keyward_quota_statements_total');
    await vi.waitUntil(async () => (await changes()).quota_requests_waiting === CROWD, SOON);
    release();
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['VALID']));
    expect((await changes()).quota_requests_waiting).toBeUndefined();
  });

  it('a key that ran out counts as one of the denials', async () => {
    const { key } = await createKey(instance, { credits: { remaining: 1 } });
    expect(await verdict(instance, key)).toBe('VALID');
    expect((await changes()).denials).toBeUndefined();
    expect(await verdict(instance, key)).toBe('CREDITS_EXHAUSTED');
    expect((await changes()).denials).toBe(1);
  });

  it('a ref that nobody has counts as one of the unknown_refs, and as no credential', async () => {
    const forged = forgeKey('ak_live', base62(16), await readChecksumKey(database.url));
    expect(await verdict(instance, forged)).toBe('NOT_FOUND');
    expect(await verdict(instance, forged)).toBe('NOT_FOUND');
    const { unknown_refs, credentials } = await changes();
    expect({ unknown_refs, credentials }).toEqual({ unknown_refs: 1, credentials: undefined });
  });

  it('a wrong secret of a known ref counts as one of the wrong_keys, and as no proof', async () => {
    const { key } = await createKey(instance, {});
    const forged = forgeKey('ak_live', partsOf(key).ref, await readChecksumKey(database.url));
    expect(await verdict(instance, forged)).toBe('NOT_FOUND');
    const { wrong_keys, proofs } = await changes();
    expect({ wrong_keys, proofs }).toEqual({ wrong_keys: 1, proofs: undefined });
  });

  it('a key that was verified counts with its size as a credential and a proof, and as one of the counters until these are written', async () => {
    await instance.service.internals.flusher.flush();
    before = await usedBounds(instance);
    const { key } = await createKey(instance);
    expect((await verify(instance, key)).body.code).toBe('VALID');
    await warmKey(key, instance);
    const { proofs = 0, credentials = 0, counters } = await changes();
    expect(counters).toBe(1);
    expect(proofs).toBeGreaterThan(300);
    expect(proofs).toBeLessThan(600);
    expect(credentials).toBeGreaterThan(1000);
    expect(credentials).toBeLessThan(3000);
    await instance.service.internals.flusher.flush();
    expect((await changes()).counters).toBeUndefined();
  });
});
