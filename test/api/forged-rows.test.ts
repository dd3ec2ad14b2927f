import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { forgeKey, partsOf, readChecksumKey } from '../support/forged-key.ts';
import { launchForTest } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { createManagementKey, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

/** The same ref, with a secret of its own. */
function otherKeyOf(key: string): string {
  return key.replace(/.{10}$/, 'AAAAAAAAAA');
}

describe('rows that someone else has written', () => {
  const pair = usePair();
  /** The same ref and a right checksum, with a secret of its own. */
  const forgedKeyOf = async (key: string) => {
    const { prefix, ref } = partsOf(key);
    return forgeKey(prefix, ref, await readChecksumKey(pair.databaseUrl));
  };
  const refOf = async (id: string) => {
    const client = await connect(pair.databaseUrl);
    const { rows } = await client.query<{ ref: string; hash: string }>(
      'select ref, hash from secrets where key_id = $1',
      [id],
    );
    return { client, ref: rows[0]?.ref ?? '', hash: rows[0]?.hash ?? '' };
  };

  it('a hash that is the ref of its own row makes no string valid, and is not replaced by another hash', async () => {
    const { id, key } = await createKey(pair.first);
    const { client, ref } = await refOf(id);
    const digest = `sha256:${hash('sha256', key)}`;
    for (const forged of [ref, digest, `${digest}@default`, 'none', '']) {
      await client.query('delete from secret_proofs where ref = $1', [ref]);
      await client.query('update secrets set hash = $2 where ref = $1', [ref, forged]);
      const fresh = await launchForTest(pair.databaseUrl);
      for (const instance of [pair.first, pair.second, fresh]) {
        expect(await verdict(instance, key)).toBe('NOT_FOUND');
        expect(await verdict(instance, otherKeyOf(key))).toBe('NOT_FOUND');
      }
      expect((await refOf(id)).hash).toBe(forged);
    }
  });

  it('the digest of one string under the ref of another makes neither of them valid', async () => {
    const digestOf = (text: string) => `sha256:${hash('sha256', text)}`;
    const keys = ['mine', 'theirs'].map((name) => ({
      name,
      hash: { algorithm: 'sha256', value: hash('sha256', name) },
    }));
    const { body } = await pair.first.call('POST', '/v1/keys/import', { body: { keys } });
    const { client, ref } = await refOf(body.results[0].keyId);
    for (const forged of [digestOf('theirs'), ref]) {
      await client.query('update secrets set hash = $2 where ref = $1', [ref, forged]);
      expect(await verdict(pair.second, 'mine')).toBe('NOT_FOUND');
      expect((await refOf(body.results[0].keyId)).hash).toBe(forged);
    }
    expect(await verdict(pair.second, 'theirs')).toBe('VALID');
  });

  it('a proof that was stored for another hash of the same ref makes no string valid', async () => {
    const { id, key } = await createKey(pair.first);
    const { id: otherId } = await createKey(pair.first);
    const { client, ref } = await refOf(id);
    expect(await verdict(pair.second, key)).toBe('VALID');
    const other = await refOf(otherId);
    await client.query('update secrets set hash = $2 where ref = $1', [ref, other.hash]);
    const fresh = await launchForTest(pair.databaseUrl);
    for (const instance of [pair.first, pair.second, fresh]) {
      expect(await verdict(instance, key)).toBe('NOT_FOUND');
    }
  });

  it.each([
    ['another of the same length', Buffer.alloc(32, 7), 'tag'],
    ['one of another length', Buffer.alloc(3), 'tag'],
    ['another, with a tag of another length', Buffer.alloc(32, 7), `'\\x00'::bytea`],
    ['another, without a tag', Buffer.alloc(32, 7), 'null'],
  ])(
    'a stored proof that someone replaced by %s refuses no valid key, and is replaced again',
    async (_, proof, tag) => {
      const { id, key } = await createKey(pair.first);
      const { client, ref } = await refOf(id);
      const { rows } = await client.query('select * from secret_proofs where ref = $1', [ref]);
      await client.query(`update secret_proofs set proof = $2, tag = ${tag} where ref = $1`, [
        ref,
        proof,
      ]);
      const fresh = await launchForTest(pair.databaseUrl);
      expect(await verdict(fresh, await forgedKeyOf(key))).toBe('NOT_FOUND');
      expect(await verdict(fresh, key)).toBe('VALID');
      const stored = async () =>
        (await client.query('select * from secret_proofs where ref = $1', [ref])).rows;
      await expect.poll(stored).toEqual(rows);
    },
  );

  it('a management key whose stored proof someone replaced still revokes keys', async () => {
    const { id } = await createKey(pair.first);
    const manager = await createManagementKey(pair.first, { permissions: ['keys:revoke'] });
    const { client, ref } = await refOf(manager.id);
    await client.query(`update secret_proofs set proof = '\\x00' where ref = $1`, [ref]);
    const fresh = await launchForTest(pair.databaseUrl);
    const options = { as: manager.key, body: {} };
    expect((await fresh.call('POST', `/v1/keys/${id}/revoke`, options)).status).toBe(204);
  });

  it('a wrong string costs no argon2 run where the service itself stored the proof', async () => {
    const { key } = await createKey(pair.first);
    const fresh = await launchForTest(pair.databaseUrl);
    expect(await verdict(fresh, await forgedKeyOf(key))).toBe('NOT_FOUND');
    expect(await verdict(fresh, key)).toBe('VALID');
    expect(await metric(fresh, 'keyward_argon2_runs_total')).toBe(0);
  });

  it('a proof that names no hash, as an older version stores it, is replaced and not trusted', async () => {
    const { id, key } = await createKey(pair.first);
    const { client, ref } = await refOf(id);
    await client.query('update secret_proofs set hash_digest = null where ref = $1', [ref]);
    const fresh = await launchForTest(pair.databaseUrl);
    expect(await verdict(fresh, key)).toBe('VALID');
    const stored = 'select from secret_proofs where ref = $1 and hash_digest is not null';
    await expect.poll(async () => (await client.query(stored, [ref])).rowCount).toBe(1);
    expect(await metric(fresh, 'keyward_argon2_runs_total')).toBe(1);
  });
});
