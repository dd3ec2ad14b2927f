import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { metric, metrics } from '../support/metrics.ts';
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

describe('metrics', () => {
  it('/metrics shows for each bound how much of it is used, never more than its limit', async () => {
    const found = await metrics(instance);
    const bounds = [...found.keys()].flatMap(
      (name) => /used\{bound="(\w+)"\}/.exec(name)?.[1] ?? [],
    );
    expect(bounds.toSorted()).toEqual([
      'argon2_issuance_waiting',
      'argon2_low_waiting',
      'argon2_management_waiting',
      'argon2_rehashing_waiting',
      'argon2_verification_waiting',
      'batch_items',
      'body_bytes',
      'connections',
      'connections_of_one_address',
      'counters',
      'credentials',
      'denials',
      'held_bodies',
      'leak_reports',
      'leak_requests',
      'loads_waiting',
      'management_calls',
      'management_connections',
      'management_waiting',
      'open_requests',
      'proofs',
      'quota_requests_locked',
      'quota_requests_waiting',
      'request_rates',
      'requests',
      'rows_loading',
      'shared_scopes',
      'suspect_refs',
      'unknown_refs',
      'unsent_answers',
      'verification_connections',
      'wrong_keys',
    ]);
    for (const bound of bounds) {
      const limit = found.get(`keyward_bound_limit{bound="${bound}"}`);
      expect(limit).toBeGreaterThan(0);
      expect(found.get(`keyward_bound_used{bound="${bound}"}`)).toBeLessThanOrEqual(limit ?? 0);
    }
  });

  it('/metrics follows what is cached, and contains no key id', async () => {
    const { key, id } = await createKey(instance);
    const before = await metrics(instance);
    // The fence of the first reports the new key, so that it is cached only by the second.
    expect(await verdict(instance, key)).toBe('VALID');
    expect(await verdict(instance, key)).toBe('VALID');
    const after = await metrics(instance);
    for (const bound of ['credentials', 'proofs', 'counters']) {
      const name = `keyward_bound_used{bound="${bound}"}`;
      expect([bound, after.get(name)]).not.toEqual([bound, before.get(name)]);
    }
    expect([...after.keys()].join()).not.toContain(id);
  });

  it('the counters of expensive operations count what a first and a second verification cost', async () => {
    const { key } = await createKey(instance);
    const names = ['fences', 'credential_loads', 'argon2_runs', 'quota_statements'];
    const counts = () =>
      Promise.all(names.map((name) => metric(instance, `keyward_${name}_total`)));
    const before = await counts();
    expect(await verdict(instance, key)).toBe('VALID');
    const [fences = 0, ...others] = await counts();
    expect(fences).toBeGreaterThan(before[0] ?? 0);
    expect(others).toEqual([(before[1] ?? 0) + 1, before[2], before[3]]);
    expect(await metric(instance, 'keyward_argon2_runs_total')).toBeGreaterThan(0);
  });
});
