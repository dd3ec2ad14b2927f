import { afterAll, beforeAll, expect, it } from 'vitest';
import { heapLimit, memoryBudget } from '../../src/lib/memory-budget.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { launch } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { warmKey } from '../support/warm.ts';

const CACHED_KEYS = 3;
/** What one of them is counted as, and a bit. */
const DIGEST_BYTES = 450;
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

it('the proof of a key in use survives any number of other keys, and a reset', async () => {
  const instance = await launch(database.url, {
    secret: undefined,
    memory: { ...memoryBudget(heapLimit()), digestBytes: CACHED_KEYS * DIGEST_BYTES },
  });
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

it('a cached proof does not hold for another hash, nor does a cached refusal', async () => {
  const instance = await launch(database.url, { secret: undefined });
  const [one, other] = [await createKey(instance), await createKey(instance)];
  const client = await connect(database.url);
  const { rows } = await client.query<{ key_id: string; hash: string }>(
    'select key_id, hash from secrets where key_id in ($1, $2)',
    [one.id, other.id],
  );
  const hashOf = (id: string) => rows.find(({ key_id }) => key_id === id)?.hash;
  const give = (hash: string | undefined) =>
    client.query('update secrets set hash = $1 where key_id = $2', [hash, one.id]);
  // Wrong before it was ever right, then right before it is wrong.
  for (let round = 0; round < 2; round++) {
    await give(hashOf(other.id));
    expect(await verdict(instance, one.key)).toBe('NOT_FOUND');
    await give(hashOf(one.id));
    expect(await verdict(instance, one.key)).toBe('VALID');
    await warmKey(one.key, instance);
  }
  await instance.stop();
});
