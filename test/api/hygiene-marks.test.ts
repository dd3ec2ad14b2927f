import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { hygieneKeys, insertHygieneKeys } from '../support/hygiene-keys.ts';
import { type Instance, launchForTest } from '../support/instance.ts';
import { newRetention } from '../support/kept-usage.ts';

const MINUTE_MS = 60_000;
const keys = hygieneKeys(300, 3);
const revoked = keys.filter((key) => key.revoked_at !== null).map(({ id }) => id);

let copy: TestDatabase;
let sql: pg.Client;
let instance: Instance;

beforeEach(async () => {
  copy = await createTestDatabase();
  sql = await connect(copy.url);
  instance = await launchForTest(copy.url);
  await sql.query(`insert into workspaces (id) values ('listed'), ('apart'), ('gone')`);
  await insertHygieneKeys(sql, keys);
});
afterEach(() => copy.drop());

/** Retention of an instance that has just started, some minutes from now. */
function retentionIn(minutes: number) {
  const { orm } = instance.service.internals.database;
  return newRetention(orm, { clock: { now: () => Date.now() + minutes * MINUTE_MS } });
}

/** The ids of the keys whose usage is marked, and those of whose strings are. */
async function marked() {
  const usage = await sql.query('select key_id as id from key_usage where ended');
  const strings = await sql.query('select key_id as id, status from secrets where ended');
  expect(strings.rows.every(({ status }) => status === 'current')).toBe(true);
  return [usage, strings].map(({ rows }) => rows.map(({ id }) => id).toSorted());
}

const marksOf = (retention: ReturnType<typeof newRetention>) =>
  retention.jobs.find(({ name }) => name === 'mark_ended_keys')?.rows;

const revoke = (id: string, at: string) =>
  sql.query('update keys set revoked_at = $2 where id = $1', [id, at]);

it('the usage and the current string of each key that was revoked ten minutes ago are marked, and of no other key', async () => {
  await retentionIn(0).run();
  expect(await marked()).toEqual([revoked.toSorted(), revoked.toSorted()]);
});

it('a key that was revoked less than ten minutes ago is marked by a later run of the same instance, which looks at no key twice', async () => {
  const living = keys.find((key) => !key.revoked_at && !key.deleted)?.id ?? '';
  let minutes = 0;
  const { orm } = instance.service.internals.database;
  const clock = { now: () => Date.now() + minutes * MINUTE_MS };
  const retention = newRetention(orm, { clock });
  await revoke(living, new Date().toISOString());
  await retention.run();
  expect(marksOf(retention)).toBe(revoked.length);
  await sql.query('update key_usage set ended = false');
  minutes = 61;
  await retention.run();
  expect((await marked())[0]).toEqual([living]);
  await retentionIn(61).run();
  expect((await marked())[0]).toEqual([...revoked, living].toSorted());
});

it('the hygiene report is the same before and after keys that ended are marked', async () => {
  const report = async () => {
    const { body } = await instance.call('GET', '/v1/reports/hygiene?workspaceId=*');
    return body.sections;
  };
  const before = await report();
  expect(before.every(({ count }: { count: number }) => count > 0)).toBe(true);
  await retentionIn(0).run();
  expect(await report()).toEqual(before);
});

it('a key whose usage a fold has locked is passed over, and the run waits for nobody', async () => {
  const [held = '', ...others] = revoked.toSorted();
  const folder = await connect(copy.url);
  await folder.query('begin');
  await folder.query('select from key_usage where key_id = $1 for update', [held]);
  await retentionIn(0).run();
  expect((await marked())[0]).toEqual(others);
  await folder.query('rollback');
});
