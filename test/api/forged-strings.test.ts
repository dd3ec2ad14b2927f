import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { forgeKey, partsOf, readChecksumKey } from '../support/forged-key.ts';
import { type Instance, launch } from '../support/instance.ts';
import { metric, peaksDuring } from '../support/metrics.ts';
import { createManagementKey, retryOn503 } from '../support/pair.ts';
import { createKey, verdict, verify } from '../support/sql-keys.ts';
import { warmKey } from '../support/warm.ts';

/** More than a ref may have at once in the lane of verifications. */
const CROWD = 12;

let database: TestDatabase;
let instance: Instance;
let checksumKey: Uint8Array;

beforeAll(async () => {
  database = await createTestDatabase();
  // No proof is stored: each string that was not verified before costs argon2.
  instance = await launch(database.url, { secret: undefined });
  checksumKey = await readChecksumKey(database.url);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

/** Strings with the ref of a key and right checksums, as someone with a leaked checksum key has. */
const forgedFor = (key: string, prefix = 'ak_live') =>
  Array.from({ length: CROWD }, () => forgeKey(prefix, partsOf(key).ref, checksumKey));

it('forged strings of one key wait in the low lane alone, and delay neither other keys nor callers', async () => {
  const { key } = await createKey(instance);
  const { key: other } = await createKey(instance);
  const { key: caller } = await createManagementKey(instance, { permissions: ['keys:verify'] });
  const forged = Promise.all(forgedFor(key).map((string) => verify(instance, string)));
  const peaks = peaksDuring(instance, forged);
  const answer = await instance.call('POST', '/v1/verify', { as: caller, body: { key: other } });
  expect(answer.body.code).toBe('VALID');
  const outcomes = (await forged).map(({ status, body }) => (status === 200 ? body.code : status));
  expect(new Set(outcomes)).toEqual(new Set(['NOT_FOUND', 503]));
  const waiting = await peaks;
  expect(waiting.get('argon2_low_waiting')).toBeGreaterThan(0);
  expect(waiting.get('argon2_verification_waiting')).toBeLessThanOrEqual(3);
  expect(waiting.get('argon2_management_waiting')).toBe(0);
});

it('the holder of a key gets through although forged strings of it were presented', async () => {
  const { key } = await createKey(instance);
  await Promise.all(forgedFor(key).map((string) => verify(instance, string)));
  const body = { key };
  expect((await retryOn503(instance, 'POST', '/v1/verify', { body })).body.code).toBe('VALID');
});

it('a key that was verified before stays valid without argon2 while forged strings of it are presented', async () => {
  const { key } = await createKey(instance);
  await warmKey(key, instance);
  const forged = Promise.all(forgedFor(key).map((string) => verify(instance, string)));
  const runs = () => metric(instance, 'keyward_argon2_runs_total');
  for (let i = 0; i < 3; i++) expect(await verdict(instance, key)).toBe('VALID');
  await forged;
  const before = await runs();
  expect(await verdict(instance, key)).toBe('VALID');
  expect(await runs()).toBe(before);
});

it('forged strings of a management key wait in the low lane, and keep no other caller out', async () => {
  const { key } = await createManagementKey(instance, { permissions: ['keys:read'] });
  const { key: other } = await createManagementKey(instance, { permissions: ['keys:read'] });
  const list = (as: string) => instance.call('GET', '/v1/keys', { as });
  const refused = Promise.all(forgedFor(key, 'kw').map(list));
  const peaks = peaksDuring(instance, refused);
  expect((await list(other)).status).toBe(200);
  expect(new Set((await refused).map(({ status }) => status))).toEqual(new Set([401, 503]));
  expect((await peaks).get('argon2_management_waiting')).toBeLessThanOrEqual(4);
  expect((await retryOn503(instance, 'GET', '/v1/keys', { as: key })).status).toBe(200);
});
