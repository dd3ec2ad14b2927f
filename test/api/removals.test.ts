import { createHash } from 'node:crypto';
import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launchForTest } from '../support/instance.ts';
import { addRecent, countsBy, instantOf, killAt, retain, sumsOf } from '../support/kept-usage.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

let copy: TestDatabase;
let sql: pg.Client;
let instance: Instance;

beforeEach(async () => {
  copy = await createTestDatabase();
  sql = await connect(copy.url);
  await sql.query(`set timezone = 'UTC'`);
  instance = await launchForTest(copy.url);
});
afterEach(() => copy.drop());

const run = () => retain(instance.service.internals.database.orm);

const TABLES_OF_KEYS = {
  keys: 'id',
  secrets: 'key_id',
  key_consumption: 'key_id',
  key_usage: 'key_id',
  usage_recent: 'key_id',
  usage_hours: 'key_id',
  usage_days: 'key_id',
  usage_months: 'key_id',
};

/** The tables that have something of the key, or of one of its strings. */
async function tablesOf(id: string, refs: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const look = async (table: string, column: string, values: readonly string[]) => {
    const { rowCount } = await sql.query(`select from ${table} where ${column} = any($1)`, [
      values,
    ]);
    if (rowCount) found.push(`${table}.${column}`);
  };
  for (const [table, column] of Object.entries(TABLES_OF_KEYS)) await look(table, column, [id]);
  for (const [table, column] of [
    ...['secrets', 'secret_proofs'].map((table) => [table, 'ref'] as const),
    ...['secret_usage', 'usage_days', 'usage_months'].map(
      (table) => [table, 'secret_ref'] as const,
    ),
  ]) {
    await look(table, column, refs);
  }
  return found;
}

const refsOf = async (id: string) => {
  const { rows } = await sql.query(
    'select ref from secrets where key_id = $1 order by created_at',
    [id],
  );
  return rows.map(({ ref }): string => ref);
};

/** A key that was used over the years, with limits. */
async function usedKey(workspaceId = 'default') {
  const created = await createKey(instance, {
    workspaceId,
    rateLimits: [{ name: 'minute', limit: 100, windowSeconds: 60 }],
    credits: { remaining: 100 },
  });
  expect(await verdict(instance, created.key)).toBe('VALID');
  await instance.flush();
  const [ref = ''] = await refsOf(created.id);
  await sql.query('delete from usage_recent where key_id = $1', [created.id]);
  const own = { workspace: workspaceId, key: created.id, ref };
  for (const daysAgo of [3, 50, 700]) {
    await addRecent(sql, daysAgo, 5, { ...own, count: 10 });
    await addRecent(sql, daysAgo, 6, { ...own, code: 'EXPIRED', count: 2 });
  }
  return { ...created, ref };
}

/** Moves a deletion into the past, as the owner of the tables can. */
const wasDeleted = (id: string, daysAgo: number) =>
  sql.query('update keys set deleted_at = $2, revoked_at = $2 where id = $1', [
    ...[id, instantOf(daysAgo)],
  ]);

async function deleteKey(id: string, daysAgo: number, workspaceId = 'default'): Promise<void> {
  const url = `/v1/keys/${id}?workspaceId=${workspaceId}`;
  expect((await instance.call('DELETE', url)).status).toBe(204);
  await wasDeleted(id, daysAgo);
}

it('a key that was deleted longer ago than the setting is gone from every table, and the figures of its workspace by code and day are as before', async () => {
  const { id, key, ref } = await usedKey();
  const kept = await usedKey();
  await deleteKey(id, 91);
  await deleteKey(kept.id, 89);
  const figures = () => countsBy(sql, `workspace_id || ' ' || code || ' ' || day`);
  expect(await run()).toBe(0);
  expect(await tablesOf(id, [ref])).toEqual([]);
  expect(await tablesOf(kept.id, [kept.ref])).toContain('keys.id');
  const after = await figures();
  expect(Object.values(after).reduce((sum, count) => sum + count)).toBe(72);
  const byKey = await countsBy(sql, `case key_id when '' then code else key_id end`);
  expect(byKey).toEqual({ VALID: 30, EXPIRED: 6, [kept.id]: 36 });
  await wasDeleted(kept.id, 91);
  expect(await run()).toBe(0);
  expect(await figures()).toEqual(after);
  for (const path of [`/v1/keys/${id}/usage`, `/v1/keys/${id}`]) {
    expect((await instance.call('GET', path)).status).toBe(404);
  }
  const found = await instance.call('POST', '/v1/keys/find', { body: { key } });
  expect(found.body.found).toBe(false);
});

it('an attempt with the string of a removed key is NOT_FOUND on every instance, and counted as unmatched', async () => {
  const other = await launchForTest(copy.url);
  const { id, key } = await usedKey();
  await deleteKey(id, 91);
  const attempt = async () => {
    for (const one of [instance, other]) {
      const body = { key, workspaceId: 'default' };
      expect((await one.call('POST', '/v1/verify', { body })).body.code).toBe('NOT_FOUND');
      await one.flush();
    }
  };
  await attempt();
  const before = await countsBy(sql, 'code');
  expect(before).toMatchObject({ VALID: 30, EXPIRED: 6, NOT_FOUND: 2 });
  await run();
  await attempt();
  expect(await countsBy(sql, 'code')).toEqual({ ...before, NOT_FOUND: 4 });
});

it('a key with counts that were not moved yet keeps its rows until they are, and they are in the figures of its workspace', async () => {
  const { id, ref } = await usedKey();
  await deleteKey(id, 91);
  await addRecent(sql, 0, 1, { workspace: 'default', key: id, ref, count: 4 });
  expect(await run()).toBe(0);
  expect(await tablesOf(id, [ref])).toContain('keys.id');
  await sql.query('update usage_recent set hour = $1', [instantOf(8)]);
  expect(await run()).toBe(0);
  expect(await tablesOf(id, [ref])).toEqual([]);
  expect(await countsBy(sql, 'code')).toEqual({ VALID: 34, EXPIRED: 6 });
});

it('nothing is removed while counters wait in the log for longer than a day', async () => {
  const { id, ref, key } = await usedKey();
  expect(await verdict(instance, key)).toBe('VALID');
  await instance.service.internals.flusher.flush();
  await sql.query(`update usage_log set written_at = now() - interval '25 hours'`);
  await deleteKey(id, 91);
  expect(await run()).toBe(0);
  expect(await tablesOf(id, [ref])).toContain('keys.id');
  await instance.flush();
  await sql.query('update usage_recent set hour = $1', [instantOf(8)]);
  expect(await run()).toBe(0);
  expect(await tablesOf(id, [ref])).toEqual([]);
  expect(await countsBy(sql, 'code')).toEqual({ VALID: 31, EXPIRED: 6 });
});

it('a retired string is removed after the setting, and the figures of its key are as before, under no string', async () => {
  const { id, key, ref } = await usedKey();
  const rotated = await instance.call('POST', `/v1/keys/${id}/rotate`, {
    body: { graceSeconds: 0 },
  });
  const rotate = (daysAgo: number) =>
    sql.query(
      `update secrets set created_at = $2::timestamptz - (status <> 'current')::int * interval '1 day'
        where key_id = $1`,
      [id, instantOf(daysAgo)],
    );
  await rotate(89);
  expect(await run()).toBe(0);
  expect(await refsOf(id)).toHaveLength(2);
  const url = `/v1/keys/${id}/usage?granularity=day`;
  const before = (await instance.call('GET', url)).body;
  await rotate(91);
  expect(await run()).toBe(0);
  const [current = ''] = await refsOf(id);
  expect(await refsOf(id)).toEqual([current]);
  expect(await tablesOf(id, [ref])).not.toContain('secret_usage.secret_ref');
  expect(await countsBy(sql, 'secret_ref')).toEqual({ '': 36 });
  const after = (await instance.call('GET', url)).body;
  expect({ ...after, bySecret: null }).toEqual({ ...before, bySecret: null });
  expect(after.bySecret).toEqual([{ secretId: null, start: null, total: 12, units: 12 }]);
  expect(await verdict(instance, key)).toBe('NOT_FOUND');
  expect(await verdict(instance, rotated.body.key)).toBe('VALID');
});

it('a string that is still in its grace period, or is imported, is not removed', async () => {
  const { id } = await usedKey();
  await instance.call('POST', `/v1/keys/${id}/rotate`, { body: { graceSeconds: 3600 } });
  await importKey('an-old-string');
  const { rows } = await sql.query(`select key_id as id from secrets where ref like '%@%'`);
  await instance.call('POST', `/v1/keys/${rows[0].id}/rotate`, { body: { graceSeconds: 0 } });
  await sql.query(
    `update secrets set created_at = $1::timestamptz - (status <> 'current')::int * interval '1 day'`,
    [instantOf(200)],
  );
  expect(await run()).toBe(0);
  expect(await refsOf(id)).toHaveLength(2);
  expect(await refsOf(rows[0].id)).toHaveLength(2);
});

async function importKey(text: string) {
  const value = createHash('sha256').update(text).digest('hex');
  const keys = [{ name: 'imported', hash: { algorithm: 'sha256', value } }];
  const { status, body } = await instance.call('POST', '/v1/keys/import', { body: { keys } });
  expect(status).toBe(200);
  return body;
}

it('a digest whose key was removed can be imported again, and its string is that of the new key', async () => {
  const text = 'a-string-of-another-system-0123456789';
  for (let time = 1; time <= 3; time++) {
    await importKey(text);
    const { rows } = await sql.query('select id from keys');
    expect(rows).toHaveLength(1);
    expect(await verdict(instance, text)).toBe('VALID');
    await deleteKey(rows[0].id, 91);
    expect(await verdict(instance, text)).toBe('NOT_FOUND');
    await instance.flush();
    await sql.query('update usage_recent set hour = $1', [instantOf(8)]);
    expect(await run()).toBe(0);
    // While its string is presented, the key stays.
    expect((await sql.query('select from keys')).rowCount).toBe(1);
    await sql.query('update key_usage set last_denied_at = $1', [instantOf(91)]);
    expect(await run()).toBe(0);
    expect((await sql.query('select from keys')).rowCount).toBe(0);
    expect(await verdict(instance, text)).toBe('NOT_FOUND');
  }
  expect(await countsBy(sql, 'code')).toEqual({ NOT_FOUND: 5, VALID: 3 });
});

const KILLED = [
  'keys',
  'secrets',
  'secret_proofs',
  'key_consumption',
  'secret_usage',
  'key_usage',
  'usage_hours',
  'usage_days',
  'usage_months',
];

it.each(KILLED)(
  'a removal that is killed when it writes to %s leaves the key whole, and is finished by another instance',
  async (table) => {
    const { id, ref } = await usedKey();
    await run();
    const before = await tablesOf(id, [ref]);
    expect(before).toHaveLength(12);
    await deleteKey(id, 91);
    await killAt(sql, table);
    // Marking fails too where it writes to the same table.
    expect(await run()).toBeGreaterThan(0);
    expect(await tablesOf(id, [ref])).toEqual(before);
    await sql.query('drop function cut cascade');
    const other = await launchForTest(copy.url);
    expect(await retain(other.service.internals.database.orm)).toBe(0);
    expect(await tablesOf(id, [ref])).toEqual([]);
    expect(await countsBy(sql, 'code')).toEqual({ VALID: 30, EXPIRED: 6 });
  },
);

it('a key of a suspended, a deleted or a recreated workspace is removed like any other', async () => {
  const ids: string[] = [];
  for (const workspace of ['suspended', 'deleted', 'recreated']) {
    await instance.call('PUT', `/v1/workspaces/${workspace}`, { body: { name: workspace } });
    ids.push((await usedKey(workspace)).id);
    const url = `/v1/workspaces/${workspace}`;
    if (workspace === 'suspended') {
      await deleteKey(ids.at(-1) ?? '', 91, workspace);
      await instance.call('POST', `${url}/suspend`);
    } else expect((await instance.call('DELETE', url)).status).toBe(204);
    if (workspace === 'recreated') await instance.call('PUT', url, { body: { name: 'again' } });
  }
  for (const id of ids) await wasDeleted(id, 91);
  expect(await run()).toBe(0);
  expect((await sql.query('select from keys where id = any($1)', [ids])).rowCount).toBe(0);
  const each = { deleted: 36, recreated: 36, suspended: 36 };
  expect(await countsBy(sql, 'workspace_id')).toEqual(each);
  expect(await countsBy(sql, 'key_id')).toEqual({ '': 108 });
});

it('many deleted keys are removed in steps, each named to the caches, and a locked one by a later run', async () => {
  const created = [];
  for (let key = 0; key < 60; key++) created.push(await createKey(instance));
  await sql.query('update keys set deleted_at = $1', [instantOf(100)]);
  const locker = await connect(copy.url);
  await locker.query('begin');
  await locker.query('select from keys where id = $1 for update', [created[7]?.id]);
  await sql.query('delete from change_feed');
  expect(await run()).toBe(0);
  expect((await sql.query('select id from keys')).rows).toEqual([{ id: created[7]?.id }]);
  const { rows } = await sql.query(
    `select count(*) filter (where kind = 'key')::int as keys, bool_or(kind = 'everything') as reset,
            count(distinct txid)::int as steps from change_feed`,
  );
  expect(rows).toEqual([{ keys: 59, reset: false, steps: 2 }]);
  await locker.query('commit');
  expect(await run()).toBe(0);
  expect(await sumsOf(sql)).toMatchObject({ recent: 0 });
  expect((await sql.query('select from keys')).rowCount).toBe(0);
});

it('no caller can remove a key that is not deleted, or was deleted within the last seven days', async () => {
  const { id } = await createKey(instance);
  const remove = `select remove_deleted_keys('infinity', 100) as removed`;
  expect((await sql.query(remove)).rows).toEqual([{ removed: 0 }]);
  await deleteKey(id, 6);
  expect((await sql.query(remove)).rows).toEqual([{ removed: 0 }]);
  await wasDeleted(id, 8);
  expect((await sql.query(remove)).rows).toEqual([{ removed: 1 }]);
});
