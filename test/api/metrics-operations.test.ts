import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { forgeKey, readChecksumKey } from '../support/forged-key.ts';
import { type Instance, launch } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { warmKey } from '../support/warm.ts';

const OPERATIONS = ['fences', 'credential_loads', 'argon2_runs', 'quota_statements'];

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

async function counts(): Promise<number[]> {
  return Promise.all(OPERATIONS.map((name) => metric(instance, `keyward_${name}_total`)));
}

/** How many of each operation some work cost. */
async function costOf(work: () => Promise<unknown>): Promise<number[]> {
  const before = await counts();
  await work();
  return (await counts()).map((count, index) => count - (before[index] ?? 0));
}

it('a verification from memory costs a fence alone, and is counted as such', async () => {
  const { key } = await createKey(instance);
  await warmKey(key, instance);
  const three = async () => {
    for (let i = 0; i < 3; i++) await verdict(instance, key);
  };
  expect(await costOf(three)).toEqual([3, 0, 0, 0]);
});

it('an unknown key costs a fence and a load, and is counted as such', async () => {
  const checksumKey = await readChecksumKey(database.url);
  const unknown = forgeKey('ak_live', '0123456789abcdef', checksumKey);
  expect(await costOf(() => verdict(instance, unknown))).toEqual([1, 1, 0, 0]);
});

it('a key with credits costs a fence and a statement that consumes, and is counted as such', async () => {
  const { key } = await createKey(instance, { credits: { remaining: 100 } });
  await warmKey(key, instance);
  expect(await costOf(() => verdict(instance, key))).toEqual([1, 0, 0, 1]);
});

it('a new key costs one argon2 run and no fence, and is counted as such', async () => {
  expect(await costOf(() => createKey(instance))).toEqual([0, 0, 1, 0]);
});
