import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';

const MINUTE_MS = 60_000;

/**
 * Of the timers only those that repeat are in the hands of the tests: nothing else waits for them.
 */
describe('housekeeping', () => {
  let database: TestDatabase;
  let instance: Instance;
  let sql: pg.Client;

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    database = await createTestDatabase();
    instance = await launch(database.url);
    sql = await connect(database.url);
    instance.service.start();
  });
  afterEach(async () => {
    vi.useRealTimers();
    await instance.stop();
    await database.drop();
  });

  const create = (idempotencyKey: string) =>
    instance.call('POST', '/v1/keys', {
      body: { name: 'a key' },
      headers: { 'idempotency-key': idempotencyKey },
    });
  const namesIn = async (query: string) =>
    (await sql.query<{ name: string }>(query)).rows.map(({ name }) => name);
  const answers = () => namesIn('select key as name from idempotency_keys order by key');
  const age = (table: string, column: string, which: string, interval: string) =>
    sql.query(`update ${table} set ${column} = now() - interval '${interval}' where ${which}`);
  const warnings = () => instance.logLines.filter((line) => line.includes('housekeeping failed'));

  it('the answer to an Idempotency-Key is kept for 24 hours, then the call acts again', async () => {
    const [old, young] = [await create('old'), await create('young')];
    await age('idempotency_keys', 'created_at', `key = 'old'`, '24 hours 1 minute');
    await age('idempotency_keys', 'created_at', `key = 'young'`, '23 hours 59 minutes');
    vi.advanceTimersByTime(MINUTE_MS);
    await expect.poll(answers).toEqual(['young']);
    expect((await create('young')).body).toEqual({ ...young.body, key: null });
    const again = await create('old');
    expect(again.status).toBe(201);
    expect(again.body.id).not.toBe(old.body.id);
    expect(again.body.key).toEqual(expect.any(String));
  });

  it('which batches an instance has written is kept for 7 days, so that none counts twice', async () => {
    await sql.query(`
      insert into batch_sequences (instance, lane, sequence)
      values (gen_random_uuid(), 'ended', 1), (gen_random_uuid(), 'quiet', 1)`);
    await age('batch_sequences', 'updated_at', `lane = 'ended'`, '7 days 1 minute');
    await age('batch_sequences', 'updated_at', `lane = 'quiet'`, '6 days 23 hours 59 minutes');
    vi.advanceTimersByTime(MINUTE_MS);
    await expect.poll(() => namesIn('select lane as name from batch_sequences')).toEqual(['quiet']);
  });

  it('housekeeping drops what the feed named more than 10 minutes ago, and nothing that is younger', async () => {
    await create('named');
    await sql.query(`
      insert into feed_horizons (recorded_at, oldest)
      values (now() - interval '11 minutes', pg_snapshot_xmax(pg_current_snapshot()))`);
    await instance.call('PUT', '/v1/workspaces/young', { body: {} });
    vi.advanceTimersByTime(MINUTE_MS);
    await expect.poll(() => namesIn('select id as name from change_feed')).toEqual(['young']);
  });

  it('housekeeping comes once a minute, and again in the next if it fails', async () => {
    const state = async () => ({ answers: await answers(), warnings: warnings().length });
    await create('old');
    await age('idempotency_keys', 'created_at', `key = 'old'`, '25 hours');
    await sql.query('alter table batch_sequences rename to hidden');
    vi.advanceTimersByTime(MINUTE_MS - 1);
    expect(await state()).toEqual({ answers: ['old'], warnings: 0 });
    vi.advanceTimersByTime(1);
    await expect.poll(() => warnings().length).toBe(1);
    await sql.query('alter table hidden rename to batch_sequences');
    await create('later');
    await age('idempotency_keys', 'created_at', 'true', '25 hours');
    vi.advanceTimersByTime(MINUTE_MS);
    await expect.poll(state).toEqual({ answers: [], warnings: 1 });
  });

  it('housekeeping stops with the service: no timer repeats after a stop', async () => {
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    expect(await instance.service.stop()).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(10 * MINUTE_MS);
    expect(warnings()).toEqual([]);
  });
});
