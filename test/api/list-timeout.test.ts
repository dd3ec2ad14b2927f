import { expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';

const pair = usePair();

it('a list that takes too long is 422 without Retry-After, so that no client repeats it, and its connection is kept', async () => {
  const { database } = pair.first.service.internals;
  let lost = 0;
  database.onConnectionLoss(() => lost++);
  const holder = await connect(pair.databaseUrl);
  await holder.query('begin; lock table keys in access exclusive mode');

  const listing = pair.first.call('GET', '/v1/keys');
  // As the server does itself after statement_timeout.
  const cancel = `select pg_cancel_backend(pid) from pg_stat_activity
                   where wait_event_type = 'Lock' and datname = current_database()`;
  while ((await holder.query(cancel)).rowCount === 0);
  const answer = await listing;
  await holder.query('rollback');

  expectProblem(answer, { status: 422, code: 'QUERY_TOO_BROAD' });
  expect(answer.headers['retry-after']).toBeUndefined();
  expect(lost).toBe(0);
  expect((await pair.first.call('GET', '/v1/keys')).status).toBe(200);
});
