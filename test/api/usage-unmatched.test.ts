import { expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';

const pair = usePair();

it('a verification that matches no key is counted for the workspace that was asked about, or for all of them as *', async () => {
  await putWorkspace(pair.first, 'one');
  await putWorkspace(pair.first, 'two');
  const bound = await createManagementKey(pair.first, {
    permissions: ['keys:verify'],
    workspaceId: 'two',
  });
  const verify = (body: object, as?: string) =>
    pair.first.call('POST', '/v1/verify', { body: { key: 'x', ...body }, ...(as && { as }) });
  await verify({});
  await verify({ workspaceId: 'one' });
  await verify({ workspaceId: 'one' });
  for (let i = 0; i < 3; i++) await verify({}, bound.key);
  await pair.flush();
  const client = await connect(pair.databaseUrl);
  const { rows } = await client.query(
    'select workspace_id as of, sum(count)::int as count from usage_unmatched group by 1 order by 1',
  );
  expect(rows).toEqual([
    { of: '*', count: 1 },
    { of: 'one', count: 2 },
    { of: 'two', count: 3 },
  ]);
});

it('a key of another workspace is counted as unmatched, not as a use of that key', async () => {
  await putWorkspace(pair.first, 'mine');
  const { body: theirs } = await pair.first.call('POST', '/v1/keys', { body: { name: 'theirs' } });
  const body = { key: theirs.key, workspaceId: 'mine' };
  expect((await pair.first.call('POST', '/v1/verify', { body })).body.code).toBe('NOT_FOUND');
  await pair.flush();
  const usage = await pair.first.call('GET', `/v1/keys/${theirs.id}/usage`);
  expect(usage.body.total).toBe(0);
  const client = await connect(pair.databaseUrl);
  const { rows } = await client.query(
    `select count::int as count from usage_unmatched where workspace_id = 'mine'`,
  );
  expect(rows).toEqual([{ count: 1 }]);
});
