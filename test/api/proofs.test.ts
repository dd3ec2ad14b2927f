import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { launch } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const CACHED_KEYS = 3;
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

it('the proof of a key in use survives any number of other keys, and a reset', async () => {
  const instance = await launch(database.url, { secret: undefined, cachedKeys: CACHED_KEYS });
  const argon2Runs = () => metric(instance, 'keyward_argon2_runs_total');
  const inUse = await createKey(instance);
  expect(await verdict(instance, inUse.key)).toBe('VALID');
  for (let passing = 0; passing < 2 * CACHED_KEYS; passing++) {
    const other = await createKey(instance);
    expect(await verdict(instance, other.key)).toBe('VALID');
    expect(await verdict(instance, inUse.key)).toBe('VALID');
  }
  const runs = await argon2Runs();
  const client = await connect(database.url);
  await client.query('delete from incarnation');
  expect(await verdict(instance, inUse.key)).toBe('VALID');
  expect(await argon2Runs()).toBe(runs);
  await instance.stop();
});
