import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { USER_AGENT_FAMILIES } from '../../src/domain/client-context.ts';
import type { UsageBatch } from '../../src/usage/counters.ts';
import { appendToLog, shardMixed } from '../../src/usage/log-store.ts';
import { MIXED_SHARD } from '../../src/usage/shards.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { base62 } from '../support/forged-key.ts';
import { type Instance, launch, launchForTest, ROOT_KEY } from '../support/instance.ts';
import { holdRows } from '../support/locks.ts';
import { createManagementKey, putWorkspace } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey } from '../support/sql-keys.ts';
import { recordStatements } from '../support/statements.ts';
import { warmKey } from '../support/warm.ts';

const IP = '203.0.113.7';
const CURL = 'curl/8.5.0';
const INVALID = { status: 400, code: 'INVALID_REQUEST' };
const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
const FROM_CURL = { ip: '203.0.113.0/24', userAgent: 'curl' };

let database: TestDatabase;
let instance: Instance;
let sql: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url);
});
beforeEach(async () => {
  sql = await connect(database.url);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

interface Client {
  ip?: string;
  userAgent?: string;
}
type Use = (key: string, client: Client, to?: Instance) => Promise<unknown>;

const verify: Use = async (key, client, to = instance) => {
  const { body } = await to.call('POST', '/v1/verify', { body: { key, ...client } });
  return body.code;
};
const verifyInBatch: Use = async (key, client, to = instance) => {
  const body = { requests: [{ key: 'unknown' }, { key, ...client }] };
  return (await to.call('POST', '/v1/verify/batch', { body })).body.results[1].code;
};
/** As nginx asks: the address in its question, the user agent among the headers of its client. */
const authorize: Use = async (key, { ip, userAgent }, to = instance) => {
  const question = ['mode=nginx', ...(ip ? [`ip=${ip}`] : [])].join('; ');
  const headers = {
    'x-keyward-authorization': `Bearer ${ROOT_KEY}; ${question}`,
    'user-agent': userAgent ?? '',
  };
  return (await to.call('GET', '/v1/authorize', { as: key, headers })).headers['x-keyward-code'];
};
const DOORS: [string, Use][] = [
  ['verify', verify],
  ['a batch', verifyInBatch],
  ['authorize', authorize],
];

const read = async (id: string, from = instance) => (await from.call('GET', `/v1/keys/${id}`)).body;
const shown = async (id: string, from = instance) => {
  const { usage, secrets } = await read(id, from);
  return [usage.lastUsedFrom, ...secrets.map((it: { lastUsedFrom: unknown }) => it.lastUsedFrom)];
};
const erase = (ownerId: string, options = {}) =>
  instance.call('DELETE', `/v1/owners/${encodeURIComponent(ownerId)}/personal-data`, options);

/** Everything that any row says, as text. */
async function storedText(): Promise<string> {
  const { rows } = await sql.query<{ name: string }>(
    `select table_name as name from information_schema.tables
      where table_schema = 'public' and table_type = 'BASE TABLE'`,
  );
  let text = '';
  for (const { name } of rows) {
    const all = await sql.query(`select string_agg(t::text, ' ') as text from "${name}" t`);
    text += all.rows[0].text;
  }
  return text;
}

it.each(DOORS)(
  'after %s a key and each of its strings show from where they were last used, by default without the last octet',
  async (_door, use) => {
    const { id, key } = await createKey(instance);
    expect(await shown(id)).toEqual([null, null]);
    expect(await use(key, { ip: IP, userAgent: CURL })).toBe('VALID');
    await instance.flush();
    expect(await shown(id)).toEqual([FROM_CURL, FROM_CURL]);
    const body = { graceSeconds: 3600 };
    const rotated = (await instance.call('POST', `/v1/keys/${id}/rotate`, { body })).body;
    expect(rotated.usage.lastUsedFrom).toEqual(FROM_CURL);
    expect(await shown(id)).toEqual([FROM_CURL, null, FROM_CURL]);
    await use(rotated.key, { ip: '::ffff:198.51.100.9', userAgent: 'okhttp/4.12.0' });
    await instance.flush();
    const last = { ip: '198.51.100.0/24', userAgent: 'okhttp' };
    expect(await shown(id)).toEqual([last, last, FROM_CURL]);
  },
);

it('lists and find show from where a key was last used, as reading the key does', async () => {
  const { id, key } = await createKey(instance, { ownerId: 'listed' });
  await verify(key, { ip: '2001:db8:1:2::3', userAgent: 'Wget/1.21' });
  await instance.flush();
  const expected = { ip: '2001:db8:1::/48', userAgent: 'wget' };
  const list = (await instance.call('GET', '/v1/keys?ownerId=listed')).body.data;
  expect(list).toEqual([await read(id)]);
  expect(list[0].usage.lastUsedFrom).toEqual(expected);
  const found = (await instance.call('POST', '/v1/keys/find', { body: { key } })).body;
  expect(found.secret.lastUsedFrom).toEqual(expected);
  expect(found.key.usage.lastUsedFrom).toEqual(expected);
});

it('a use of which the caller says one thing shows that alone', async () => {
  const [one, two] = [await createKey(instance), await createKey(instance)];
  await verify(one.key, { ip: IP });
  await verify(two.key, { userAgent: CURL });
  await instance.flush();
  expect((await shown(one.id))[0]).toEqual({ ip: '203.0.113.0/24', userAgent: null });
  expect((await shown(two.id))[0]).toEqual({ ip: null, userAgent: 'curl' });
});

it('only a use that is VALID shows where it came from, and a later flush of an earlier use changes nothing', async () => {
  const other = await launchForTest(database.url);
  const { id, key } = await createKey(instance);
  await verify(key, { ip: '192.0.2.1', userAgent: 'axios/1.6' });
  for (const it of [instance, other]) it.advance(60_000);
  await verify(key, { ip: IP, userAgent: CURL }, other);
  const body = { key, ip: '192.0.2.1', userAgent: 'node', requiredScopes: ['nothing'] };
  expect((await other.call('POST', '/v1/verify', { body })).body.code).toBe('INSUFFICIENT_SCOPE');
  await other.flush();
  await instance.flush();
  expect(await shown(id)).toEqual([FROM_CURL, FROM_CURL]);
});

it('a verification that counts before it answers and one with limits keep where they came from', async () => {
  const other = await launchForTest(database.url, { usageFlushMs: 0 });
  const rateLimits = [{ name: 'minute', limit: 10, windowSeconds: 60 }];
  const { id, key } = await createKey(instance, { rateLimits });
  await verify(key, { ip: IP, userAgent: CURL }, other);
  await other.flush();
  expect(await shown(id)).toEqual([FROM_CURL, FROM_CURL]);
});

it('the settings full and none hold for what is stored, and no setting brings back what was not', async () => {
  const [full, none] = await Promise.all([
    launchForTest(database.url, { lastUsedIp: 'full' }),
    launchForTest(database.url, { lastUsedIp: 'none' }),
  ]);
  const [one, two] = [await createKey(instance), await createKey(instance)];
  await verify(one.key, { ip: IP, userAgent: CURL }, full);
  await verify(two.key, { ip: IP, userAgent: CURL }, none);
  await full.flush();
  await none.flush();
  expect((await shown(one.id, none))[0]).toEqual({ ip: IP, userAgent: 'curl' });
  expect((await shown(two.id, full))[0]).toEqual({ ip: null, userAgent: 'curl' });
});

it('a user agent is one of a fixed list or "other": no part of a client\'s text is stored', async () => {
  const { id, key } = await createKey(instance);
  const marks = ['\0', '\n', ',', ' ', '😀', "'", '\\', 'curl/', 'Chrome/', 'é', '\ud800'];
  const secretText = fc.oneof(
    fc.constant(key),
    fc.constant(`ak_live_${base62(65)}`),
    fc.constantFrom(...marks),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  const texts = fc.array(secretText, { maxLength: 6 }).map((parts) => `zqx${parts.join('')}zqx`);
  const run = async (text: string, use: Use) => {
    await use(key, { ip: IP, userAgent: [...text].slice(0, 512).join('') });
    await instance.flush();
    const [{ userAgent }] = await shown(id);
    expect(USER_AGENT_FAMILIES).toContain(userAgent);
  };
  await fc.assert(fc.asyncProperty(texts, fc.constantFrom(verify, verifyInBatch), run), {
    numRuns: 25,
  });
  const header = texts.map((text) => text.replace(/[^\x20-\x7e\x80-\xff]/g, ''));
  await fc.assert(
    fc.asyncProperty(header, (text) => run(text, authorize)),
    { numRuns: 12 },
  );
  const stored = await storedText();
  expect(stored).not.toContain('zqx');
  expect(stored).not.toContain(key);
  expect(instance.logLines.join('')).not.toContain('zqx');
});

it('a user agent of any length passes a gateway, and one longer than 512 characters is refused elsewhere', async () => {
  const { id, key } = await createKey(instance);
  expect(await authorize(key, { userAgent: CURL + 'x'.repeat(8000) })).toBe('VALID');
  await instance.flush();
  expect((await shown(id))[0]).toEqual({ ip: null, userAgent: 'curl' });
  expect(await verify(key, { userAgent: '😀'.repeat(512) })).toBe('VALID');
});

it.each([['x'.repeat(513)], [7], [null], [['curl']], [{}]])(
  'a user agent that is no text of at most 512 characters is refused with its pointer (%#)',
  async (userAgent) => {
    const { key } = await createKey(instance);
    const refused = await instance.call('POST', '/v1/verify', { body: { key, userAgent } });
    expectProblem(refused, { ...INVALID, pointer: '/body/userAgent' });
    const requests = [{ key, userAgent }, { key }];
    const batch = await instance.call('POST', '/v1/verify/batch', { body: { requests } });
    expect(batch.body.results).toMatchObject([
      { code: 'INVALID_REQUEST', errors: [{ pointer: '/userAgent' }] },
      { code: 'VALID', errors: [] },
    ]);
  },
);

it('a gateway cannot pass a user agent as a parameter, where a client could add others behind a semicolon', async () => {
  const { key } = await createKey(instance);
  const question = `Bearer ${ROOT_KEY}; userAgent=curl/8.5.0; cost=0`;
  const headers = { 'x-keyward-authorization': question };
  const refused = await instance.call('GET', '/v1/authorize', { as: key, headers });
  expectProblem(refused, { ...INVALID, pointer: '/headers/x-keyward-authorization' });
});

it('a verification writes nothing more than before: the same statements and the same rows', async () => {
  const { key } = await createKey(instance);
  const rows = async () => {
    const { rows: found } = await sql.query(
      `select (select count(*)::int from key_usage) as keys, (select count(*)::int from secret_usage)
                as secrets, (select count(*)::int from usage_recent) as recent`,
    );
    return found[0];
  };
  await warmKey(key, instance);
  await instance.flush();
  const before = await rows();
  const names = recordStatements(instance.service.internals.database);
  await verify(key, {});
  await instance.flush();
  const without = names.splice(0);
  await verify(key, { ip: IP, userAgent: CURL });
  await instance.flush();
  expect(names).toEqual(without);
  expect(await rows()).toEqual(before);
});

it('a log of uses of which nobody said anything holds no list of origins', async () => {
  const [one, two] = [await createKey(instance), await createKey(instance)];
  const { flusher } = instance.service.internals;
  const logged = async () =>
    (await sql.query('select origins from usage_log')).rows.map(({ origins }) => origins);
  await verify(one.key, {});
  await verify(two.key, {});
  await flusher.flush();
  expect(await logged()).toEqual(['']);
  await verify(one.key, {});
  await verify(two.key, { userAgent: CURL });
  await flusher.flush();
  expect((await logged()).sort()).toEqual(['', expect.stringMatching(/^,*( curl),*$/)]);
  await instance.flush();
});

it("erasing an owner's data clears every key of the owner at once, deleted ones too, and no other", async () => {
  const ownerId = 'ann/100%@example.com 😀';
  const [one, two, deleted, other] = await Promise.all([
    createKey(instance, { ownerId }),
    createKey(instance, { ownerId }),
    createKey(instance, { ownerId }),
    createKey(instance, { ownerId: 'other' }),
  ]);
  for (const { key } of [one, two, deleted, other]) await verify(key, { ip: IP, userAgent: CURL });
  await instance.flush();
  const rotation = { body: { graceSeconds: 3600 } };
  await instance.call('POST', `/v1/keys/${two.id}/rotate`, rotation);
  await instance.call('DELETE', `/v1/keys/${deleted.id}`);
  expect((await erase(ownerId)).status).toBe(204);
  expect(await shown(one.id)).toEqual([null, null]);
  expect(await shown(two.id)).toEqual([null, null, null]);
  expect(await shown(other.id)).toEqual([FROM_CURL, FROM_CURL]);
  const { body } = await instance.call('POST', '/v1/keys/find', { body: { key: deleted.key } });
  if (body.found) expect(body.secret.lastUsedFrom).toBeNull();
  const { rows } = await sql.query(
    `select last_used_from from key_usage where key_id = $1
     union all select last_used_from from secret_usage u join secrets s on s.ref = u.secret_ref
      where s.key_id = $1`,
    [deleted.id],
  );
  expect(rows.map(({ last_used_from: from }) => from)).toEqual(
    rows.map(() => expect.stringMatching(/^\d{13} {2}$/)),
  );
  expect((await read(one.id)).usage).toMatchObject({ total: 1, lastUsedAt: expect.any(String) });
});

it('erasing is audited without the data, once for each call, and not for an owner without keys', async () => {
  const { key } = await createKey(instance, { ownerId: 'audited' });
  await verify(key, { ip: IP, userAgent: CURL });
  await instance.flush();
  const headers = { 'idempotency-key': 'erase-once' };
  expect((await erase('audited', { headers })).status).toBe(204);
  const again = await erase('audited', { headers });
  expect([again.status, again.headers['idempotent-replayed']]).toEqual([204, 'true']);
  expect((await erase('nobody')).status).toBe(204);
  const events = async (targetId: string) =>
    (await instance.call('GET', `/v1/audit-events?targetId=${targetId}`)).body.data;
  const [event, ...more] = await events('audited');
  expect(more).toEqual([]);
  expect(event).toMatchObject({
    action: 'owner.personal_data_erased',
    target: { type: 'owner', id: 'audited' },
    before: null,
    after: { keys: 1 },
  });
  expect(JSON.stringify(event)).not.toMatch(/203\.0\.113|curl/);
  expect(await events('nobody')).toEqual([]);
});

it('erasing is not undone by counters that were still waiting, in memory, in the log or in one that was never written before', async () => {
  const other = await launchForTest(database.url);
  const keys = await Promise.all([1, 2, 3].map(() => createKey(instance, { ownerId: 'waiting' })));
  const [inMemory, inLog, written] = keys.map(({ id, key }) => ({ id, key }));
  if (!inMemory || !inLog || !written) throw new Error('no keys');
  await verify(written.key, { ip: IP, userAgent: CURL });
  await instance.flush();
  await verify(inLog.key, { ip: IP, userAgent: CURL });
  await instance.service.internals.flusher.flush();
  await verify(inMemory.key, { ip: IP, userAgent: CURL }, other);
  await verify(written.key, { ip: IP, userAgent: CURL }, other);
  await erase('waiting');
  await other.flush();
  await instance.flush();
  for (const { id } of keys) expect(await shown(id)).toEqual([null, null]);
  // Later uses are shown again.
  instance.advance(2000);
  await verify(inLog.key, { ip: IP, userAgent: CURL });
  await instance.flush();
  expect(await shown(inLog.id)).toEqual([FROM_CURL, FROM_CURL]);
});

it('erasing is not undone by a counter that the log adds to a later one of which nothing was said', async () => {
  const { id, key } = await createKey(instance, { ownerId: 'merged' });
  const { flusher, database: connections } = instance.service.internals;
  await verify(key, { ip: IP, userAgent: CURL });
  await flusher.flush();
  await erase('merged');
  instance.advance(5000);
  await verify(key, {});
  await flusher.flush();
  expect(await shardMixed(connections, 1000)).toBeGreaterThan(0);
  await instance.flush();
  expect((await read(id)).usage).toMatchObject({ total: 2, lastUsedFrom: null });
});

it('counters that are brought into shards, or wait for a locked row, keep where they came from', async () => {
  const { id, key } = await createKey(instance);
  const { flusher, fold, database: connections } = instance.service.internals;
  await verify(key, { ip: IP, userAgent: CURL });
  await flusher.flush();
  await shardMixed(connections, 1000);
  await fold.foldAll();
  expect(await shown(id)).toEqual([FROM_CURL, FROM_CURL]);
  instance.advance(5000);
  await verify(key, { ip: '192.0.2.1' });
  await flusher.flush();
  const holder = await connect(database.url);
  await holder.query('begin');
  await holder.query('select from key_usage where key_id = $1 for update', [id]);
  await connections.dataOrm.execute('select fold_usage_log(-1, 1000, true)');
  expect(await shown(id)).toEqual([FROM_CURL, FROM_CURL]);
  await holder.query('rollback');
  await holder.end();
  await instance.flush();
  expect((await shown(id))[0]).toEqual({ ip: '192.0.2.0/24', userAgent: null });
});

it('an erasure that finds a row locked waits a second, answers 503 and is made whole by its repetition', async () => {
  const { id, key } = await createKey(instance, { ownerId: 'locked' });
  await verify(key, { ip: IP, userAgent: CURL });
  await instance.flush();
  const select = 'select from key_usage where key_id = $1';
  const release = await holdRows(database.url, select, [id]);
  const refused = await erase('locked');
  expectProblem(refused, { status: 503, code: 'TIMED_OUT' });
  expect(await shown(id)).toEqual([FROM_CURL, FROM_CURL]);
  await release();
  expect((await erase('locked')).status).toBe(204);
  expect(await shown(id)).toEqual([null, null]);
});

it('erasing goes through the keys of an owner in steps, and erases those of every step', async () => {
  const { id } = await createKey(instance, { ownerId: 'many' });
  await sql.query(
    `insert into keys select (jsonb_populate_record(k, jsonb_build_object('id', 'key_' || lpad(n::text, 22, '0')))).*
       from keys k, generate_series(1, 1100) n where k.id = $1`,
    [id],
  );
  await sql.query(
    `update key_usage set last_used_from = '1700000000000 203.0.113.0/24 curl'
      where key_id in (select id from keys where owner_id = 'many')`,
  );
  expect((await erase('many')).status).toBe(204);
  const { rows } = await sql.query(
    `select count(*)::int as keys, count(*) filter (where last_used_from like '%curl')::int as left
       from key_usage where key_id in (select id from keys where owner_id = 'many')`,
  );
  expect(rows).toEqual([{ keys: 1101, left: 0 }]);
  const audit = await instance.call('GET', '/v1/audit-events?targetId=many');
  expect(audit.body.data).toMatchObject([{ after: { keys: 1101 } }]);
});

it('a bound caller erases nothing of a former tenant of its workspace, and an unbound one does, of a deleted one too', async () => {
  await putWorkspace(instance, 'moved');
  const { id, key } = await createKey(instance, { ownerId: 'former', workspaceId: 'moved' });
  await verify(key, { userAgent: CURL });
  await instance.flush();
  const stored = async () =>
    (await sql.query('select last_used_from as it from key_usage where key_id = $1', [id])).rows[0]
      .it;
  await instance.call('DELETE', '/v1/workspaces/moved');
  instance.advance(1000);
  await putWorkspace(instance, 'moved');
  const options = { permissions: ['keys:write'] as const, workspaceId: 'moved' };
  const { key: as } = await createManagementKey(instance, options);
  expect((await erase('former', { as })).status).toBe(204);
  expect(await stored()).toMatch(/ curl$/);
  await instance.call('DELETE', '/v1/workspaces/moved');
  const url = '/v1/owners/former/personal-data?workspaceId=moved';
  expect((await instance.call('DELETE', url)).status).toBe(204);
  expect(await stored()).toMatch(/^\d{13} {2}$/);
});

it('an answer that is kept for its Idempotency-Key does not keep from where the key was used', async () => {
  const { id, key } = await createKey(instance);
  await verify(key, { ip: '198.18.7.9', userAgent: 'insomnia/9' });
  await instance.flush();
  const headers = { 'idempotency-key': 'rotate-once' };
  const call = { body: { graceSeconds: 3600 }, headers };
  const rotated = (await instance.call('POST', `/v1/keys/${id}/rotate`, call)).body;
  const from = { ip: '198.18.7.0/24', userAgent: 'Insomnia' };
  expect([rotated.usage.lastUsedFrom, rotated.secrets[1].lastUsedFrom]).toEqual([from, from]);
  const again = (await instance.call('POST', `/v1/keys/${id}/rotate`, call)).body;
  const secrets = rotated.secrets.map((it: object) => ({ ...it, lastUsedFrom: null }));
  const usage = { ...rotated.usage, lastUsedFrom: null };
  expect(again).toEqual({ ...rotated, key: null, secrets, usage });
  const { rows } = await sql.query('select answer::text from idempotency_keys');
  expect(JSON.stringify(rows)).not.toMatch(/198\.18\.7|Insomnia/);
});

it('a bound caller erases in its own workspace alone, and a workspace that never was is NOT_FOUND', async () => {
  await putWorkspace(instance, 'acme');
  const mine = await createKey(instance, { ownerId: 'shared', workspaceId: 'acme' });
  const theirs = await createKey(instance, { ownerId: 'shared' });
  for (const { key } of [mine, theirs]) await verify(key, { userAgent: CURL });
  await instance.flush();
  const options = { permissions: ['keys:write'] as const, workspaceId: 'acme' };
  const { key: as } = await createManagementKey(instance, options);
  expect((await erase('shared', { as })).status).toBe(204);
  expect((await shown(`${mine.id}?workspaceId=acme`))[0]).toBeNull();
  expect((await shown(theirs.id))[0]).toEqual({ ip: null, userAgent: 'curl' });
  const url = '/v1/owners/shared/personal-data?workspaceId=';
  expectProblem(await instance.call('DELETE', `${url}default`, { as }), NOT_FOUND);
  expectProblem(await instance.call('DELETE', `${url}never`), NOT_FOUND);
});

it.each(['%20', 'a%0Ab', '%00', 'x'.repeat(129)])(
  'an owner that no key can have (%j) is refused',
  async (ownerId) => {
    const { status } = await instance.call('DELETE', `/v1/owners/${ownerId}/personal-data`);
    expect([400, 404]).toContain(status);
  },
);

it('an owner id of 128 characters that take many bytes in a path is found', async () => {
  const ownerId = '😀'.repeat(128);
  const { id, key } = await createKey(instance, { ownerId });
  await verify(key, { userAgent: CURL });
  await instance.flush();
  expect((await erase(ownerId)).status).toBe(204);
  expect(await shown(id)).toEqual([null, null]);
});

it('a batch of the log is written alike when it is repeated, with its origins', async () => {
  const { id } = await createKey(instance);
  const { rows } = await sql.query('select ref from secrets where key_id = $1', [id]);
  const counter = { keyId: id, secretRef: rows[0].ref, code: 'VALID' as const, hour: 0 };
  const used = { count: 1, units: 1, lastAt: Date.now(), ip: IP, userAgent: CURL };
  const batch: UsageBatch = {
    shard: MIXED_SHARD,
    counts: [{ ...counter, ...used }],
    unmatched: [],
  };
  const number = {
    instance: '00000000-0000-4000-8000-000000000001',
    stream: 'usage-0',
    sequence: 1,
  };
  const { database: connections } = instance.service.internals;
  for (let i = 0; i < 2; i++) await appendToLog(connections, number, batch);
  await instance.flush();
  expect((await read(id)).usage).toMatchObject({ total: 1, lastUsedFrom: FROM_CURL });
});
