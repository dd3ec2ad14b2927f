import { describe, expect, it } from 'vitest';
import { storeProof } from '../../src/credentials/store.ts';
import { isTimeout } from '../../src/db/errors.ts';
import { connect } from '../support/database.ts';
import type { Instance } from '../support/instance.ts';
import { holdRows, untilWaiting } from '../support/locks.ts';
import { putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';
import { recordStatements } from '../support/statements.ts';
import { warmKey } from '../support/warm.ts';

const HEAD = 'select from audit_heads where workspace_id = $1';
const CONSUMPTION = 'select from key_consumption where key_id = $1';
const CREDITS = { credits: { remaining: 1000 } };

describe('keys whose rows others have locked', () => {
  const pair = usePair();
  const verify = (instance: Instance, key: string) =>
    instance.call('POST', '/v1/verify', { body: { key } });
  const code = async (instance: Instance, key: string) => (await verify(instance, key)).body.code;

  it('changes of a tenant that wait for its audit log hold up verifications of their own keys alone, and keep every cache', async () => {
    await putWorkspace(pair.first, 'busy');
    const locked = await createKey(pair.first, { workspaceId: 'busy', ...CREDITS });
    const others = [await createKey(pair.first, CREDITS), await createKey(pair.first, CREDITS)];
    for (const { key } of [locked, ...others]) await warmKey(key, pair.first);
    const release = await holdRows(pair.databaseUrl, HEAD, ['busy']);
    const change = { workspaceId: 'busy', operation: 'add', amount: 1 };
    const url = `/v1/keys/${locked.id}/credits`;
    const changing = pair.second.call('POST', url, { body: change });
    await untilWaiting(pair.databaseUrl, 1);
    const body = { workspaceId: 'busy', ids: [locked.id] };
    const revoking = Array.from({ length: 4 }, () =>
      pair.second.call('POST', '/v1/keys/bulk-revoke', { body }),
    );
    await untilWaiting(pair.databaseUrl, 5);
    const statements = recordStatements(pair.first.service.internals.database);
    const asked = verify(pair.first, locked.key);
    for (const { key } of [...others, ...others]) {
      expect(await code(pair.first, key)).toBe('VALID');
    }
    const refused = await asked;
    expect({ status: refused.status, code: refused.body.code }).toEqual({
      status: 503,
      code: 'TIMED_OUT',
    });
    expect(statements).not.toContain('load_credentials');
    await release();
    expect((await changing).status).toBe(200);
    for (const { status } of await Promise.all(revoking)) expect(status).toBe(200);
    expect(await code(pair.first, locked.key)).toBe('REVOKED');
  });

  it('verifications of a locked key are decided once its row is free, each once and in order', async () => {
    const { id, key } = await createKey(pair.first, { credits: { remaining: 12 } });
    const release = await holdRows(pair.databaseUrl, CONSUMPTION, [id]);
    const asked = Array.from({ length: 20 }, (_, n) =>
      verify(n % 2 === 0 ? pair.first : pair.second, key),
    );
    const free = await createKey(pair.first, CREDITS);
    expect(await code(pair.first, free.key)).toBe('VALID');
    await release();
    const answers = (await Promise.all(asked)).map(({ body }) => body);
    const passed = answers.filter((answer) => answer.code === 'VALID');
    expect(passed.map(({ credits }) => credits.remaining).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 12 }, (_, left) => left),
    );
    expect(answers.filter((answer) => answer.code === 'CREDITS_EXHAUSTED')).toHaveLength(8);
    for (const mine of [0, 1].map((n) => answers.filter((_, place) => place % 2 === n))) {
      const left = mine.map(({ credits }) => credits.remaining);
      expect(left).toEqual(left.toSorted((a, b) => b - a));
    }
  });

  it('a verification that is not in memory waits for no row, even if all of them are locked', async () => {
    const { key } = await createKey(pair.first);
    const sql = await connect(pair.databaseUrl);
    await sql.query('begin');
    for (const table of ['workspaces', 'keys', 'management_keys', 'secrets', 'secret_proofs']) {
      await sql.query(`select from ${table} for update`);
    }
    expect(await code(pair.second, key)).toBe('VALID');
    await sql.query('rollback');
  });

  it('a flush of counters waits for no locked row, and a proof that does is ended by the server, keeps its connection and every cache, and succeeds later', async () => {
    const { id, key } = await createKey(pair.first);
    await warmKey(key, pair.first);
    await pair.first.flush();
    await warmKey(key, pair.first);
    const { database, flusher } = pair.first.service.internals;
    let losses = 0;
    database.onConnectionLoss(() => losses++);
    const { rows } = await (await connect(pair.databaseUrl)).query(
      'select ref, hash from secrets where key_id = $1',
      [id],
    );
    const [secret] = rows;
    const release = await holdRows(
      pair.databaseUrl,
      'select from key_usage u join secrets s using (key_id) join secret_proofs p using (ref) where key_id = $1',
      [id],
    );
    const proof = { pepperId: 'another', proof: Buffer.alloc(32), tag: null };
    const outcomes = await Promise.allSettled([
      flusher.flush(),
      storeProof(database.dataOrm, secret, proof),
    ]);
    expect(outcomes.map((it) => it.status === 'rejected' && isTimeout(it.reason))).toEqual([
      false,
      true,
    ]);
    expect(outcomes[0]?.status).toBe('fulfilled');
    expect(losses).toBe(0);
    await release();
    await pair.first.flush();
    await storeProof(database.dataOrm, secret, proof);
  });
});
