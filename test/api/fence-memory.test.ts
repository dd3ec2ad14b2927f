import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { bytesOf } from '../../src/credentials/credential-size.ts';
import { type CacheFixture, startCacheFixture } from '../support/cache-fixture.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { insertKey } from '../support/sql-keys.ts';
import { warmAnswer } from '../support/warm.ts';

/** More rows of one statement than the feed names one by one. */
const MANY = 1001;

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  client = await connect(database.url);
});

const newRef = () => randomBytes(8).toString('hex');

async function start(bytes?: number): Promise<CacheFixture> {
  const fixture = await startCacheFixture(database.url, bytes);
  onTestFinished(() => fixture.database.close());
  return fixture;
}

/** A key with several secrets; their refs. */
async function insertKeyWith(secrets: number) {
  const refs = Array.from({ length: secrets }, newRef);
  const [ref = '', ...others] = refs;
  const id = `key_${ref}`;
  await insertKey(client, { id, ref });
  for (const other of others) await insertSecret(other, id);
  return { id, refs };
}

const insertSecret = (ref: string, keyId: string, workspaceId: string | null = 'default') =>
  client.query(
    `insert into secrets (ref, id, key_id, workspace_id, start, hash, status, created_at)
     values ($1, $1, $2, $3, 'ak_live_', 'none', 'retiring', now())`,
    [ref, keyId, workspaceId],
  );

const revoke = (id: string) =>
  client.query('update keys set revoked_at = now() where id = $1', [id]);

const isRevoked = async ({ cache }: CacheFixture, ref: string) => (await cache.get(ref))?.revoked;

/** What the cache counts a string as. */
async function sizeOf(ref = ''): Promise<number> {
  const credential = await (await start()).cache.get(ref);
  if (!credential) throw new Error('no such string');
  return bytesOf(credential);
}

async function warm(fixture: CacheFixture, ref: string): Promise<void> {
  expect(await warmAnswer(fixture.cache, () => isRevoked(fixture, ref))).toBe(false);
}

it('a change of a key evicts all of its cached strings', async () => {
  const fixture = await start();
  const { id, refs } = await insertKeyWith(3);
  for (const ref of refs) await warm(fixture, ref);
  await revoke(id);
  for (const ref of refs) expect(await isRevoked(fixture, ref)).toBe(true);
});

it('the other strings of a key are still evicted after one of them has left the cache', async () => {
  const { id, refs } = await insertKeyWith(2);
  const fixture = await start(2.5 * (await sizeOf(refs[0])));
  const other = await insertKeyWith(1);
  for (const ref of [...refs, ...other.refs]) await warm(fixture, ref);
  const [, kept = ''] = refs;
  await warm(fixture, kept);
  expect(fixture.cache.size).toBe(2);
  await revoke(id);
  expect(await isRevoked(fixture, kept)).toBe(true);
});

it('a string that was evicted and loaded again is evicted by the next change, too', async () => {
  const fixture = await start();
  const { id, refs } = await insertKeyWith(2);
  for (let round = 0; round < 2; round++) {
    for (const ref of refs) await warm(fixture, ref);
    await client.query('update keys set updated_at = now() where id = $1', [id]);
    await fixture.fence.waitUntilFresh();
    expect(fixture.cache.size).toBe(0);
  }
  for (const ref of refs) await warm(fixture, ref);
  await revoke(id);
  for (const ref of refs) expect(await isRevoked(fixture, ref)).toBe(true);
});

it('a string that two loads have cached is evicted by a change of its key', async () => {
  const fixture = await start();
  const { id, refs } = await insertKeyWith(1);
  const [ref = ''] = refs;
  await fixture.fence.waitUntilFresh();
  const load = fixture.database.hold('load_credentials', 'before');
  const slow = isRevoked(fixture, ref);
  await load.reached;
  expect(await isRevoked(fixture, ref)).toBe(false);
  expect(fixture.cache.size).toBe(1);
  load.open();
  expect(await slow).toBe(false);
  expect(fixture.cache.loads).toBe(2);
  await revoke(id);
  expect(await isRevoked(fixture, ref)).toBe(true);
});

it('an unknown ref that was read while a workspace changed is not cached', async () => {
  const fixture = await start();
  const [ref, id] = [newRef(), `key_${newRef()}`];
  await insertKey(client, { id, ref: newRef() });
  await fixture.fence.waitUntilFresh();
  const load = fixture.database.hold('load_credentials', 'after');
  const early = fixture.cache.get(ref);
  await load.reached;
  const { rowCount } = await client.query(
    `insert into secrets (ref, id, key_id, workspace_id, start, hash, status, created_at)
     select case n when 1 then $1 else $1 || n end, $1 || n, $2, 'default', 'x', 'none', 'retiring',
            now()
       from generate_series(1, $3::int) n`,
    [ref, id, MANY],
  );
  expect(rowCount).toBe(MANY);
  await fixture.fence.waitUntilFresh();
  expect(fixture.feed.take()).toContain('workspace default');
  load.open();
  expect(await early).toBeNull();
  expect(await fixture.cache.get(ref)).toMatchObject({ ref });
});

it('a secret whose key does not exist yet is not cached as unknown', async () => {
  const fixture = await start();
  const [ref, id] = [newRef(), `key_${newRef()}`];
  await insertSecret(ref, id);
  for (let i = 0; i < 3; i++) expect(await fixture.cache.get(ref)).toBeNull();
  await insertKey(client, { id, ref: newRef() });
  expect(await fixture.cache.get(ref)).toMatchObject({ ref, keyId: id });
});

it('a reset clears the cached unknown refs', async () => {
  const fixture = await start();
  const ref = newRef();
  expect(await warmAnswer(fixture.cache, () => fixture.cache.get(ref))).toBeNull();
  // Without a word in the feed, as where it was lost with the run of Postgres that wrote it.
  await client.query('begin');
  await insertKey(client, { id: `key_${ref}`, ref });
  await client.query('delete from change_feed where txid = pg_current_xact_id()');
  await client.query('commit');
  expect(await fixture.cache.get(ref)).toBeNull();
  await client.query('update incarnation set id = gen_random_uuid()');
  expect(await fixture.cache.get(ref)).toMatchObject({ ref });
});

it('a string whose key is larger than the cache is answered, is not cached, and evicts no other', async () => {
  const small = await insertKeyWith(1);
  const large = await insertKeyWith(1);
  const [[held = ''], [ref = '']] = [small.refs, large.refs];
  const resources = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(250, 'x'));
  await client.query('update keys set resources = $2 where id = $1', [large.id, resources]);
  const fixture = await start(2 * (await sizeOf(held)));
  await warm(fixture, held);
  for (let i = 0; i < 3; i++) {
    const { loads } = fixture.cache;
    expect(await fixture.cache.get(ref)).toMatchObject({ ref, resources });
    expect(fixture.cache.loads).toBe(loads + 1);
  }
  expect(fixture.cache.size).toBe(1);
  await revoke(large.id);
  expect(await isRevoked(fixture, ref)).toBe(true);
  expect(await isRevoked(fixture, held)).toBe(false);
});
