import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { storeRehash } from '../../src/credentials/store.ts';
import { connect, ormOf } from '../support/database.ts';
import { metric } from '../support/metrics.ts';
import { createManagementKey, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const pair = usePair();
const first = () => pair.first;
const second = () => pair.second;

/** How many argon2 runs some work costs the second instance. */
async function runsOf(work: () => Promise<unknown>): Promise<number> {
  const runs = () => metric(second(), 'keyward_argon2_runs_total');
  const before = await runs();
  await work();
  return (await runs()) - before;
}

it('a new string carries its proof: an instance with the same KEYWARD_SECRET needs no argon2 for its first use', async () => {
  const { id, key } = await createKey(first());
  expect(await runsOf(async () => expect(await verdict(second(), key)).toBe('VALID'))).toBe(0);
  const url = `/v1/keys/${id}/rotate`;
  const { body } = await first().call('POST', url, { body: { graceSeconds: 0 } });
  expect(await runsOf(async () => expect(await verdict(second(), body.key)).toBe('VALID'))).toBe(0);
});

it('a new management key carries its proof, and so does its next string', async () => {
  const { id, key } = await createManagementKey(first(), { permissions: ['keys:read'] });
  const use = (as: string) => async () =>
    expect((await second().call('GET', '/v1/keys', { as })).status).toBe(200);
  expect(await runsOf(use(key))).toBe(0);
  const url = `/v1/management-keys/${id}/rotate`;
  const { body } = await first().call('POST', url, { body: { graceSeconds: 0 } });
  expect(await runsOf(use(body.key))).toBe(0);
});

it('an imported key carries its proof once it is rehashed', async () => {
  const value = createHash('sha256').update('an old key').digest('hex');
  const keys = [{ name: 'imported', hash: { algorithm: 'sha256', value } }];
  await first().call('POST', '/v1/keys/import', { body: { keys } });
  expect(await verdict(first(), 'an old key')).toBe('VALID');
  const client = await connect(pair.databaseUrl);
  const rehashed = async () =>
    (
      await client.query(
        `select from secrets where ref like 'sha256:%' and hash like '$argon2id$%'`,
      )
    ).rowCount;
  await expect.poll(rehashed).toBe(1);
  const use = async () => expect(await verdict(second(), 'an old key')).toBe('VALID');
  expect(await runsOf(use)).toBe(0);
});

it('an imported digest is replaced once: what another instance has stored meanwhile stays', async () => {
  const value = createHash('sha256').update('another old key').digest('hex');
  const keys = [{ name: 'imported', hash: { algorithm: 'sha256', value } }];
  await first().call('POST', '/v1/keys/import', { body: { keys } });
  const client = await connect(pair.databaseUrl);
  const imported = { ref: `sha256:${value}@default`, hash: `sha256:${value}` };
  for (const hash of ['$argon2id$first', '$argon2id$second']) {
    await storeRehash(ormOf(client), imported, { hash, proof: null });
  }
  const { rows } = await client.query('select hash from secrets where ref = $1', [imported.ref]);
  expect(rows).toEqual([{ hash: '$argon2id$first' }]);
});
