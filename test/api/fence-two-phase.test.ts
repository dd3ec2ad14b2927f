import { expect, it, onTestFinished } from 'vitest';
import { startCacheFixture } from '../support/cache-fixture.ts';
import { connect } from '../support/database.ts';
import { startPrivatePostgres } from '../support/private-postgres.ts';
import { insertKey } from '../support/sql-keys.ts';
import { warmAnswer } from '../support/warm.ts';

it('a prepared transaction takes effect when it is committed, and is reported then, once', async () => {
  const server = await startPrivatePostgres({ max_prepared_transactions: '5' });
  const client = await connect(server.url);
  await insertKey(client, { id: 'key_two', ref: 'two' });
  const { database, fence, cache, feed } = await startCacheFixture(server.url);
  onTestFinished(() => database.close());
  const named = async () => {
    await fence.waitUntilFresh();
    return feed.take();
  };
  const isRevoked = async () => (await cache.get('two'))?.revoked;
  expect(await isRevoked()).toBe(false);

  await client.query(`begin; update keys set revoked_at = now() where id = 'key_two'`);
  await client.query(`prepare transaction 'revoke'`);
  expect(await named()).toEqual([]);
  expect(await warmAnswer(cache, isRevoked)).toBe(false);
  await client.query(`commit prepared 'revoke'`);
  expect(await isRevoked()).toBe(true);
  expect(feed.take()).toEqual(['key key_two']);
  expect(await named()).toEqual([]);

  await client.query(`begin; delete from keys where id = 'key_two'`);
  await client.query(`prepare transaction 'undone'`);
  await client.query(`rollback prepared 'undone'`);
  expect(await named()).toEqual([]);
});
