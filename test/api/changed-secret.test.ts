import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Pepper } from '../../src/domain/pepper.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { forgeKey, partsOf, readChecksumKey } from '../support/forged-key.ts';
import { type Instance, launch, TEST_SECRET } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const OTHER_SECRET = 'another-secret-of-the-tests-0123456789';

let database: TestDatabase;
const started: Instance[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  for (const instance of started) await instance.stop();
  await database.drop();
});

const start = async (settings: { secret?: string | undefined } = {}) => {
  const instance = await launch(database.url, settings);
  started.push(instance);
  return instance;
};

/** The id of the pepper under which the stored proof of a key holds. */
async function pepperOfProof(key: string): Promise<string> {
  const client = await connect(database.url);
  const { rows } = await client.query('select pepper_id from secret_proofs where ref = $1', [
    partsOf(key).ref,
  ]);
  await client.end();
  return rows[0]?.pepper_id;
}

/** The verdict of an instance that has nothing cached, and what it cost. */
async function ask(key: string, settings: { secret?: string | undefined } = {}) {
  const instance = await start(settings);
  const code = await verdict(instance, key);
  return { code, argon2: await metric(instance, 'keyward_argon2_runs_total') };
}

/** The test server runs without fsync, which has a warning of its own. */
const secretWarnings = ({ service }: Instance) =>
  service.warnings.filter((warning) => warning.includes('KEYWARD_SECRET'));

describe('a KEYWARD_SECRET that was changed or lost', () => {
  it('a changed or lost KEYWARD_SECRET costs one more argon2 run for each key, and invalidates none', async () => {
    const { key } = await createKey(await start());
    expect(await ask(key)).toEqual({ code: 'VALID', argon2: 0 });
    const changed = { secret: OTHER_SECRET };
    expect(await ask(key, changed)).toEqual({ code: 'VALID', argon2: 1 });
    // The answer does not wait for its proof to be stored.
    const pepperId = new Pepper(OTHER_SECRET).id;
    await expect.poll(() => pepperOfProof(key), { timeout: 20_000 }).toBe(pepperId);
    expect(await ask(key, changed)).toEqual({ code: 'VALID', argon2: 0 });
    expect(await ask(key, { secret: undefined })).toEqual({ code: 'VALID', argon2: 1 });
  });

  it('the proof of a key that argon2 confirms is stored, the proof of a wrong key never', async () => {
    const { key } = await createKey(await start());
    const { prefix, ref } = partsOf(key);
    const wrong = forgeKey(prefix, ref, await readChecksumKey(database.url));
    const proofs = async () => {
      const client = await connect(database.url);
      const query = 'select pepper_id, proof from secret_proofs where ref = $1';
      return (await client.query(query, [ref])).rows;
    };
    const before = await proofs();
    const changed = await launch(database.url, { secret: OTHER_SECRET });
    for (let use = 0; use < 3; use++) expect(await verdict(changed, wrong)).toBe('NOT_FOUND');
    // A stop waits for what is being written.
    await changed.stop();
    expect(await proofs()).toEqual(before);
    expect(before).toHaveLength(1);
    const again = await launch(database.url, { secret: OTHER_SECRET });
    expect(await verdict(again, wrong)).toBe('NOT_FOUND');
    expect(await verdict(again, key)).toBe('VALID');
    await again.stop();
    const [after] = await proofs();
    expect(after.pepper_id).not.toBe(before[0].pepper_id);
    expect(await ask(wrong, { secret: OTHER_SECRET })).toEqual({ code: 'NOT_FOUND', argon2: 0 });
  });

  it('a changed or lost KEYWARD_SECRET lets no wrong key through', async () => {
    const { key } = await createKey(await start());
    const { prefix, ref } = partsOf(key);
    const wrong = forgeKey(prefix, ref, await readChecksumKey(database.url));
    for (const secret of [OTHER_SECRET, undefined]) {
      expect(await ask(wrong, { secret })).toEqual({ code: 'NOT_FOUND', argon2: 1 });
    }
  });

  it('an instance with another KEYWARD_SECRET than the others is warned at its start, by the ids alone', async () => {
    const own = await createTestDatabase();
    onTestFinished(own.drop);
    const warningsWith = async (secret: string | undefined) => {
      const instance = await launch(own.url, { secret });
      onTestFinished(instance.stop);
      return secretWarnings(instance);
    };
    expect(await warningsWith(TEST_SECRET)).toEqual([]);
    expect(await warningsWith(TEST_SECRET)).toEqual([]);
    expect(await warningsWith(undefined)).toEqual([]);
    const [warning = '', ...others] = await warningsWith(OTHER_SECRET);
    expect(others).toEqual([]);
    expect(warning).toContain(`(id ${new Pepper(OTHER_SECRET).id}) is not the one`);
    expect(warning).toContain(`last used with (id ${new Pepper(TEST_SECRET).id})`);
    expect(warning).not.toContain(OTHER_SECRET);
    // Also when it is started again, and the others meanwhile go on.
    expect(await warningsWith(OTHER_SECRET)).toEqual([warning]);
    expect(await warningsWith(TEST_SECRET)).toHaveLength(1);
  });

  it('a KEYWARD_SECRET that was changed on every instance warns at the first start alone', async () => {
    const own = await createTestDatabase();
    onTestFinished(own.drop);
    await (await launch(own.url)).stop();
    const sql = await connect(own.url);
    await sql.query("update known_secrets set last_used_at = now() - interval '1 hour'");
    const changed = { secret: OTHER_SECRET };
    for (const warnings of [1, 0, 0]) {
      const instance = await launch(own.url, changed);
      expect(secretWarnings(instance)).toHaveLength(warnings);
      await instance.stop();
    }
  });
});
