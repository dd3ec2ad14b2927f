import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { createKey } from '../support/sql-keys.ts';
import { interceptQuery } from '../support/statements.ts';

const HOUR_MS = 3_600_000;

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

/** Every way to ask for the verdict of a key. */
async function verdicts(key: string) {
  const [single, batch, gateway] = await Promise.all([
    instance.call('POST', '/v1/verify', { body: { key } }),
    instance.call('POST', '/v1/verify/batch', { body: { requests: [{ key }] } }),
    instance.call('GET', '/v1/authorize', {
      as: null,
      headers: { 'x-keyward-authorization': `Bearer ${ROOT_KEY}`, 'x-api-key': key },
    }),
  ]);
  return [single.body.code, batch.body.results[0].code, gateway.headers['x-keyward-code']];
}

it('a key that was told to be EXPIRED is never VALID again, although later fences tell an earlier time', async () => {
  const expiresAt = new Date(Date.now() + HOUR_MS).toISOString();
  const { key } = await createKey(instance, { expiresAt });
  expect(await verdicts(key)).toEqual(['VALID', 'VALID', 'VALID']);
  // Which of the two a fence takes the time from depends on what other tests commit.
  const restores = ['fence', 'read_changes'].map((name) =>
    interceptQuery(instance.service.internals.database, name, async (send) => {
      const rows = await send();
      return rows.map((row) => ({ ...row, time: Number(row.time) + 2 * HOUR_MS }));
    }),
  );
  expect(await verdicts(key)).toEqual(['EXPIRED', 'EXPIRED', 'EXPIRED']);
  for (const restore of restores.reverse()) restore();
  for (let later = 0; later < 3; later++) {
    expect(await verdicts(key)).toEqual(['EXPIRED', 'EXPIRED', 'EXPIRED']);
  }
});
