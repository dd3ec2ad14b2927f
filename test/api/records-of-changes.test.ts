import { expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { forgeKey, partsOf, readChecksumKey } from '../support/forged-key.ts';
import { launchForTest } from '../support/instance.ts';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const pair = usePair();
const patch = (id: string, body: object) => pair.first.call('PATCH', `/v1/keys/${id}`, { body });

it('a balance that is set by a PATCH is on the record, and one that stays is not', async () => {
  const { id } = await createKey(pair.first, { credits: { remaining: 5 } });
  await patch(id, { credits: { remaining: 9 } });
  const [entry] = await auditOf(pair.first, id);
  expect(entry).toMatchObject({ action: 'key.credits_changed', after: { credits: 9 } });
  const before = (await auditOf(pair.first, id)).length;
  await patch(id, { credits: { remaining: 9 } });
  expect(await auditOf(pair.first, id)).toHaveLength(before);
});

it('an immutable key keeps its balance, also where nothing else of its credits would change', async () => {
  await putWorkspace(pair.first, 'fixed', { immutableKeys: true });
  const { id } = await createKey(pair.first, { workspaceId: 'fixed', credits: { remaining: 5 } });
  const refused = await patch(id, { credits: { remaining: 9 } });
  expectProblem(refused, { status: 409, code: 'KEY_IMMUTABLE', pointer: '/body/credits' });
  expect((await pair.first.call('GET', `/v1/keys/${id}`)).body.credits.remaining).toBe(5);
});

it('a key is not found in another workspace than its own, also by a caller of every workspace', async () => {
  await putWorkspace(pair.first, 'elsewhere');
  const { id } = await createKey(pair.first);
  for (const [workspaceId, status] of [
    ['default', 200],
    ['elsewhere', 404],
  ]) {
    const url = `/v1/keys/${id}`;
    const read = await pair.first.call('GET', `${url}?workspaceId=${workspaceId}`);
    const explained = await pair.first.call('POST', `${url}/explain`, { body: { workspaceId } });
    expect([read.status, explained.status]).toEqual([status, status]);
  }
});

it('an answer is kept from the time of the call, by the clock of all instances', async () => {
  const instance = await launchForTest(pair.databaseUrl);
  instance.advance(86_400_000);
  const headers = { 'idempotency-key': 'ahead' };
  await instance.call('POST', '/v1/keys', { body: { name: 'one' }, headers });
  const client = await connect(pair.databaseUrl);
  const { rows } = await client.query(
    `select created_at > now() + interval '23 hours' as ahead from idempotency_keys`,
  );
  expect(rows).toEqual([{ ahead: true }]);
});

it('the string of a management key belongs to the workspace of its key, after a rotation too', async () => {
  await putWorkspace(pair.first, 'owner');
  const { id } = await createManagementKey(pair.first, {
    permissions: ['keys:read'],
    workspaceId: 'owner',
  });
  const url = `/v1/management-keys/${id}/rotate`;
  await pair.first.call('POST', url, { body: { graceSeconds: 60 } });
  const client = await connect(pair.databaseUrl);
  const { rows } = await client.query('select workspace_id as of from secrets where key_id = $1', [
    id,
  ]);
  expect(rows).toEqual([{ of: 'owner' }, { of: 'owner' }]);
});

it('a wrong string with the ref of a key leaves no proof, where none was stored', async () => {
  const { key } = await createKey(pair.first);
  const client = await connect(pair.databaseUrl);
  const { prefix, ref } = partsOf(key);
  await client.query('delete from secret_proofs where ref = $1', [ref]);
  const wrong = forgeKey(prefix, ref, await readChecksumKey(pair.databaseUrl));
  const stranger = await launchForTest(pair.databaseUrl);
  expect(await verdict(stranger, wrong)).toBe('NOT_FOUND');
  await stranger.stop();
  const proofs = await client.query('select from secret_proofs where ref = $1', [ref]);
  expect(proofs.rowCount).toBe(0);
  expect(await verdict(pair.second, wrong)).toBe('NOT_FOUND');
  expect(await verdict(pair.second, key)).toBe('VALID');
});
