import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

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

async function metrics(): Promise<Map<string, number>> {
  const { status, text } = await instance.call('GET', '/metrics', { as: null });
  expect(status).toBe(200);
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const [name = '', value] = line.split(' ');
      return [name, Number(value)];
    }),
  );
}

describe('metrics', () => {
  it('have for each bound how much of it is used, never more than its limit', async () => {
    const found = await metrics();
    const bounds = [...found.keys()].flatMap(
      (name) => /used\{bound="(\w+)"\}/.exec(name)?.[1] ?? [],
    );
    expect(bounds.toSorted()).toEqual([
      'argon2_issuance_waiting',
      'argon2_low_waiting',
      'argon2_rehashing_waiting',
      'argon2_verification_waiting',
      'counters',
      'credentials',
      'denials',
      'loads_waiting',
      'management_connections',
      'proofs',
      'quota_requests_waiting',
      'requests',
      'unknown_refs',
      'verification_connections',
      'wrong_keys',
    ]);
    for (const bound of bounds) {
      const limit = found.get(`keyward_bound_limit{bound="${bound}"}`);
      expect(limit).toBeGreaterThan(0);
      expect(found.get(`keyward_bound_used{bound="${bound}"}`)).toBeLessThanOrEqual(limit ?? 0);
    }
  });

  it('follow what is held, and name no key', async () => {
    const { key, id } = await createKey(instance);
    const before = await metrics();
    // The fence of the first names the new key, so that it is not held before the second.
    expect(await verdict(instance, key)).toBe('VALID');
    expect(await verdict(instance, key)).toBe('VALID');
    const after = await metrics();
    for (const bound of ['credentials', 'proofs', 'counters']) {
      const name = `keyward_bound_used{bound="${bound}"}`;
      expect({ [bound]: after.get(name) }).toEqual({ [bound]: (before.get(name) ?? 0) + 1 });
    }
    expect([...after.keys()].join()).not.toContain(id);
  });
});
