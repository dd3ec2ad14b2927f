import { createHash } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { createKey, verdict, verify } from '../support/sql-keys.ts';
import { interceptQuery, recordStatements } from '../support/statements.ts';
import { warmAnswer, warmKey } from '../support/warm.ts';

const HOUR_S = 3600;
/** A transaction id that is far ahead. */
const FUTURE = `(pg_current_xact_id()::text::bigint + 1000000)::text::xid8`;

let database: TestDatabase;
let instance: Instance;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});
beforeEach(async () => {
  client = await connect(database.url);
});

/**
 * Changes what the instance's fences are answered, until the function that is returned is called.
 */
function changeAnswers(
  change: (row: Record<string, unknown>) => object,
  statement = 'fence',
): () => void {
  return interceptQuery(instance.service.internals.database, statement, async (send) => {
    const rows = await send();
    return rows.map((row) => ({ ...row, ...change(row) }));
  });
}

const reset = () => client.query('update incarnation set id = gen_random_uuid()');

it('each fence brings the time of the database: a key expires by it, whatever this machine says', async () => {
  const { key } = await createKey(instance, { expiresInSeconds: HOUR_S });
  await warmKey(key, instance);
  const anHourLater = ({ time }: Record<string, unknown>) => ({
    time: Number(time) + HOUR_S * 1000,
  });
  // Either statement of a fence may be the one that tells the time: others commit meanwhile.
  onTestFinished(changeAnswers(anHourLater));
  onTestFinished(changeAnswers(anHourLater, 'read_changes'));
  expect(await verdict(instance, key)).toBe('EXPIRED');
});

it('a revocation is noticed in a database that was restored to an earlier state', async () => {
  const { id, key } = await createKey(instance);
  await warmKey(key, instance);
  const restore = changeAnswers(({ snapshot }) => {
    const later = Number(String(snapshot).split(':')[1]) + 1_000_000;
    return { snapshot: `${later}:${later}:` };
  });
  expect(await verdict(instance, key)).toBe('VALID');
  restore();
  await client.query('update keys set revoked_at = now() where id = $1', [id]);
  expect(await verdict(instance, key)).toBe('REVOKED');
});

it('an instance that starts on a database restored to an earlier state caches keys', async () => {
  const restored = await createTestDatabase();
  onTestFinished(restored.drop);
  const sql = await connect(restored.url);
  await sql.query(
    `insert into change_feed (txid, kind, id) values (${FUTURE}, 'everything', ''),
                                                     (${FUTURE}, 'workspace', 'default')`,
  );
  await sql.query(`update feed_pruned set below = ${FUTURE}`);
  const starting = await launch(restored.url);
  onTestFinished(starting.stop);
  await warmKey((await createKey(starting)).key, starting);
});

it('a reset lifts cached denials, so that credits that were restored unnoticed are consumed', async () => {
  const { id, key } = await createKey(instance, { credits: { remaining: 1 } });
  while ((await verdict(instance, key)) === 'VALID');
  const statements = () => metric(instance, 'keyward_quota_statements_total');
  const before = await statements();
  await client.query('update key_consumption set credits = 5 where key_id = $1', [id]);
  expect(await verdict(instance, key)).toBe('CREDITS_EXHAUSTED');
  expect(await statements()).toBe(before);
  await reset();
  expect(await verdict(instance, key)).toBe('VALID');
});

it('a reset makes an instance read again which algorithms were imported', async () => {
  const { cache, database: own } = instance.service.internals;
  await warmAnswer(cache, () => verdict(instance, 'a string of another system'));
  const statements = recordStatements(own);
  await verdict(instance, 'a string of another system');
  expect(statements).not.toContain('imported_algorithms');
  await reset();
  await verdict(instance, 'a string of another system');
  expect(statements).toContain('imported_algorithms');
});

it('what is imported while the kinds of imported keys are read is VALID at once, and stays so', async () => {
  const imported = 'a key of another system';
  const read = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  await reset();
  const restore = interceptQuery(
    instance.service.internals.database,
    'imported_algorithms',
    async (send) => {
      restore();
      const rows = await send();
      read.resolve();
      await answered.promise;
      return rows;
    },
  );
  const early = verdict(instance, imported);
  await read.promise;
  const value = createHash('sha256').update(imported).digest('hex');
  const keys = [{ name: 'imported', hash: { algorithm: 'sha256', value } }];
  await instance.call('POST', '/v1/keys/import', { body: { keys } });
  expect(await verdict(instance, imported)).toBe('VALID');
  answered.resolve();
  expect(await early).toBe('NOT_FOUND');
  expect(await verdict(instance, imported)).toBe('VALID');
});

it('kinds of imported keys that were read from another run of Postgres decide nothing: 503', async () => {
  await reset();
  const restore = interceptQuery(
    instance.service.internals.database,
    'imported_algorithms',
    async (send) => {
      restore();
      const rows = await send();
      return rows.map((row) => ({ ...row, incarnation: '00000000-0000-4000-8000-000000000000' }));
    },
  );
  const ask = () => verify(instance, 'a string of another system');
  expect((await ask()).status).toBe(503);
  expect((await ask()).body).toMatchObject({ code: 'NOT_FOUND' });
});
