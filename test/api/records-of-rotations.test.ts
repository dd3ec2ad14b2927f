import { expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { untilWaiting } from '../support/locks.ts';
import { auditOf, createManagementKey, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey } from '../support/sql-keys.ts';

const pair = usePair();

it('a rotation is on the record with its grace and with the start of the new string', async () => {
  const { id } = await createKey(pair.first);
  const url = `/v1/keys/${id}`;
  const { body } = await pair.first.call('POST', `${url}/rotate`, { body: { graceSeconds: 77 } });
  const [rotated] = await auditOf(pair.first, id);
  expect(rotated).toMatchObject({ action: 'key.rotated', before: null });
  expect(rotated.after).toEqual({ graceSeconds: 77, start: body.start });
  const manager = await createManagementKey(pair.first, { permissions: ['keys:read'] });
  const rotate = `/v1/management-keys/${manager.id}/rotate`;
  await pair.first.call('POST', rotate, { body: { graceSeconds: 78 } });
  const [entry] = await auditOf(pair.first, manager.id);
  expect(entry).toMatchObject({ action: 'management_key.rotated', before: null });
  expect(entry.after).toEqual({ graceSeconds: 78 });
});

it('a key that is deleted while its holder asks how its limits stand is no key any more', async () => {
  const { id, key } = await createKey(pair.first, { credits: { remaining: 5 } });
  const client = await connect(pair.databaseUrl);
  await client.query('begin');
  await client.query('lock table key_consumption in access exclusive mode');
  const asked = pair.first.call('GET', '/v1/whoami', { as: key });
  await untilWaiting(pair.databaseUrl, 1);
  await client.query('update keys set deleted_at = now() where id = $1', [id]);
  await client.query('commit');
  expectProblem(await asked, { status: 401, code: 'UNAUTHENTICATED' });
});
