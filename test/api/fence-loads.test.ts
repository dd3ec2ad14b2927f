import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CacheFixture, startCacheFixture } from '../support/cache-fixture.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { insertKey } from '../support/sql-keys.ts';
import { warmAnswer } from '../support/warm.ts';

let database: TestDatabase;
let fixture: CacheFixture;
let client: pg.Client;
let ref: string;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  client = await connect(database.url);
  ref = randomBytes(8).toString('hex');
  await insertKey(client, { id: `key_${ref}`, ref });
  fixture = await startCacheFixture(database.url);
});
afterEach(() => fixture.database.close());

const revoke = () =>
  client.query('update keys set revoked_at = now() where id = $1', [`key_${ref}`]);
const isRevoked = async () => (await fixture.cache.get(ref))?.revoked;

describe('a load that began before a revocation', () => {
  it('a load from before a revocation may answer earlier callers, and is not cached once a fence has reported the key', async () => {
    const load = fixture.database.hold('load_credentials', 'after');
    const early = isRevoked();
    await load.reached;
    await revoke();
    await fixture.fence.waitUntilFresh();
    load.open();
    expect(await early).toBe(false);
    expect(fixture.cache.size).toBe(0);
    expect(await isRevoked()).toBe(true);
  });

  it('a load from before a revocation does not answer later callers, even while it is in flight', async () => {
    const load = fixture.database.hold('load_credentials', 'after');
    const early = isRevoked();
    await load.reached;
    await revoke();
    const late = isRevoked();
    expect(await late).toBe(true);
    load.open();
    expect(await early).toBe(false);
    expect(await isRevoked()).toBe(true);
  });

  it('a load that is cached before a fence returns is evicted by that fence', async () => {
    const load = fixture.database.hold('load_credentials', 'after');
    const early = isRevoked();
    await load.reached;
    await fixture.fence.waitUntilFresh();
    await revoke();
    const fence = fixture.database.hold('fence', 'after');
    const late = isRevoked();
    await fence.reached;
    load.open();
    expect(await early).toBe(false);
    fence.open();
    expect(await late).toBe(true);
  });

  it('a load whose answer comes after that of the fence is not cached', async () => {
    const load = fixture.database.hold('load_credentials', 'after');
    const early = isRevoked();
    await load.reached;
    const fence = fixture.database.hold('fence', 'after');
    const passing = fixture.fence.waitUntilFresh();
    await fence.reached;
    await revoke();
    fence.open();
    await passing;
    const next = fixture.fence.waitUntilFresh();
    await next;
    load.open();
    await early;
    expect(fixture.cache.size).toBe(0);
    expect(await isRevoked()).toBe(true);
  });
});

describe('a caller that arrives during a fence', () => {
  it('a fence does not answer a caller that arrives after it began', async () => {
    expect(await warmAnswer(fixture.cache, isRevoked)).toBe(false);
    const fence = fixture.database.hold('fence', 'after');
    const passing = fixture.fence.waitUntilFresh();
    await fence.reached;
    await revoke();
    const late = isRevoked();
    fence.open();
    await passing;
    expect(await late).toBe(true);
  });

  it('the next fence is shared by all callers that arrive before it begins', async () => {
    await isRevoked();
    const fence = fixture.database.hold('fence', 'after');
    const passing = fixture.fence.waitUntilFresh();
    await fence.reached;
    const before = fixture.fence.count;
    const questions = Array.from({ length: 500 }, () => isRevoked());
    fence.open();
    await Promise.all([passing, ...questions]);
    expect(fixture.fence.count).toBe(before + 1);
  });
});

describe('a reset', () => {
  it('a reset clears the cache when the fence returns', async () => {
    await isRevoked();
    expect(fixture.cache.size).toBe(1);
    await client.query('delete from incarnation');
    await fixture.fence.waitUntilFresh();
    expect(fixture.cache.size).toBe(0);
  });

  it('a reset discards the loads in flight, and they are sent again', async () => {
    const load = fixture.database.hold('load_credentials', 'after');
    const early = isRevoked();
    await load.reached;
    await revoke();
    await client.query('delete from incarnation');
    await fixture.fence.waitUntilFresh();
    load.open();
    expect(await early).toBe(true);
    expect(fixture.cache.loads).toBe(2);
  });

  it('a load from another incarnation of Postgres than that of the fence is not cached', async () => {
    await fixture.fence.waitUntilFresh();
    await client.query('update incarnation set id = gen_random_uuid()');
    const fence = fixture.database.hold('fence', 'before');
    const question = isRevoked();
    await fence.reached;
    await expect.poll(() => fixture.cache.loads).toBe(1);
    expect(fixture.cache.size).toBe(0);
    fence.open();
    expect(await question).toBe(false);
  });
});

it('an unknown ref is not cached if a fence reports the ref while it is read', async () => {
  const unknown = randomBytes(8).toString('hex');
  const load = fixture.database.hold('load_credentials', 'after');
  const early = fixture.cache.get(unknown);
  await load.reached;
  await insertKey(client, { id: `key_${unknown}`, ref: unknown });
  await fixture.fence.waitUntilFresh();
  load.open();
  expect(await early).toBeNull();
  expect(await fixture.cache.get(unknown)).toMatchObject({ ref: unknown });
});

it('a change of its workspace or of everything also keeps a load from being cached', async () => {
  for (const statement of [
    `update workspaces set updated_at = now() where id = 'default'`,
    `insert into change_feed (kind, id) values ('everything', '')`,
  ]) {
    const load = fixture.database.hold('load_credentials', 'after');
    const question = isRevoked();
    await load.reached;
    await client.query(statement);
    await fixture.fence.waitUntilFresh();
    load.open();
    expect(await question).toBe(false);
  }
  expect(fixture.cache.loads).toBeGreaterThanOrEqual(3);
});

it('a row that cannot be parsed fails its own caller, not those in the same load', async () => {
  const broken = randomBytes(8).toString('hex');
  await insertKey(client, { id: `key_${broken}`, ref: broken });
  const spoil = `update keys set allowed_ips = '{nowhere}' where id = $1`;
  await client.query(spoil, [`key_${broken}`]);
  const [failed, answered] = await Promise.allSettled([fixture.cache.get(broken), isRevoked()]);
  expect(fixture.cache.loads).toBe(1);
  expect(failed.status).toBe('rejected');
  expect(answered).toMatchObject({ status: 'fulfilled', value: false });
});

it('a burst of unknown refs does not evict cached keys', async () => {
  await isRevoked();
  const unknown = Array.from({ length: 3000 }, (_, n) => `unknown-${n}`);
  await Promise.all(unknown.map((name) => fixture.cache.get(name)));
  const loads = fixture.cache.loads;
  expect(await isRevoked()).toBe(false);
  expect(fixture.cache.loads).toBe(loads);
});
