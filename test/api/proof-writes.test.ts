import { createHash } from 'node:crypto';
import type pg from 'pg';
import { beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launchForTest, type TestSettings } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  client = await connect(database.url);
});

const launched = (settings: TestSettings = {}) => launchForTest(database.url, settings);

/** Writes of a table fail until the test says otherwise. */
async function refuse(event: string) {
  await client.query(`
    create function refuse() returns trigger language plpgsql as $$ begin raise 'refused'; end $$;
    create trigger refuse before ${event} execute function refuse()`);
  const allow = () => client.query('drop function if exists refuse cascade');
  onTestFinished(async () => {
    await allow();
  });
  return allow;
}

async function importKeys(instance: Instance, keys: readonly string[]): Promise<void> {
  const value = (key: string) => createHash('sha256').update(key).digest('hex');
  const body = {
    keys: keys.map((key) => ({ name: key, hash: { algorithm: 'sha256', value: value(key) } })),
  };
  const answer = await instance.call('POST', '/v1/keys/import', { body });
  expect(answer.body.created).toBe(keys.length);
}

const rehashed = async (name: string) => {
  const { rows } = await client.query<{ hash: string }>(
    'select hash from secrets join keys on keys.id = key_id where name = $1',
    [name],
  );
  return rows[0]?.hash.startsWith('$argon2id$');
};

const logged = ({ logLines }: Instance, text: string) =>
  logLines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === text);
const NOT_STORED = 'a proof was not stored';
const NOT_REHASHED = 'an imported key was not rehashed yet';
const [DEBUG, WARN] = ['debug', 'warn'];
const SOON = { timeout: 10_000 };

it('a proof that cannot be stored is a warning: the key is VALID, and memory and connections are kept', async () => {
  const { key } = await createKey(await launched({ secret: undefined }));
  const instance = await launched();
  let losses = 0;
  instance.service.internals.database.onConnectionLoss(() => losses++);
  await refuse('insert on secret_proofs for each row');
  expect(await verdict(instance, key)).toBe('VALID');
  await expect.poll(() => logged(instance, NOT_STORED).length, SOON).toBe(1);
  expect(logged(instance, NOT_STORED)[0].level).toBe(WARN);
  expect(await verdict(instance, key)).toBe('VALID');
  expect(losses).toBe(0);
  expect(instance.logLines.join('')).not.toContain(key);
});

it('a proof that argon2 confirmed is stored, so that the next instance needs no argon2', async () => {
  const { key } = await createKey(await launched({ secret: undefined }));
  const first = await launched();
  expect(await verdict(first, key)).toBe('VALID');
  expect(await metric(first, 'keyward_argon2_runs_total')).toBe(1);
  const stored = `select from secret_proofs where position(ref in $1) > 0`;
  await expect.poll(async () => (await client.query(stored, [key])).rowCount, SOON).toBe(1);
  const next = await launched();
  expect(await verdict(next, key)).toBe('VALID');
  expect(await metric(next, 'keyward_argon2_runs_total')).toBe(0);
});

it('an imported key whose rehashing fails is VALID with a warning, and its next use makes it good', async () => {
  const instance = await launched();
  const key = 'rehashed-late';
  await importKeys(instance, [key]);
  const allow = await refuse('update on secrets for each row');
  expect(await verdict(instance, key)).toBe('VALID');
  await expect.poll(() => logged(instance, NOT_REHASHED).length, SOON).toBe(1);
  expect(logged(instance, NOT_REHASHED)[0].level).toBe(WARN);
  await allow();
  expect(await rehashed(key)).toBe(false);
  expect(await verdict(instance, key)).toBe('VALID');
  await expect.poll(() => rehashed(key), SOON).toBe(true);
  expect(instance.logLines.join('')).not.toContain(createHash('sha256').update(key).digest('hex'));
});

it('imported keys are rehashed in a queue of their own, and where it is full that is no warning', async () => {
  const instance = await launched();
  const keys = Array.from({ length: 40 }, (_, index) => `crowd-${index}`);
  await importKeys(instance, keys);
  const hash = vi.spyOn(instance.service.internals.hasher, 'hash');
  const codes = await Promise.all(keys.map((key) => verdict(instance, key)));
  expect(new Set(codes)).toEqual(new Set(['VALID']));
  expect(new Set(hash.mock.calls.map(([, queue]) => queue))).toEqual(new Set(['rehashing']));
  const lines = logged(instance, NOT_REHASHED);
  expect(new Set(lines.map(({ level }) => level))).toEqual(new Set([DEBUG]));
});
