import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { type Answer, type Instance, launch } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { callConcurrently, putWorkspace, retryOn503, usePair } from '../support/pair.ts';
import { verdict, verify } from '../support/sql-keys.ts';
import { warmKey } from '../support/warm.ts';

type Encoding = 'hex' | 'base64' | 'base64url';

const hashOf = (key: string, algorithm = 'sha256', encoding: Encoding = 'hex') => ({
  algorithm,
  value: createHash(algorithm).update(key).digest(encoding),
});

describe('imported keys', () => {
  const pair = usePair();
  const importKeys = (keys: object[], more: object = {}) =>
    pair.first.call('POST', '/v1/keys/import', { body: { keys, ...more } });
  const statuses = ({ body }: Answer) => body.results.map((one: { status: string }) => one.status);
  const importOne = async (key: string, more: object = {}): Promise<string> => {
    const { body } = await importKeys([{ name: key, hash: hashOf(key), ...more }]);
    return body.results[0].keyId;
  };
  const evidenceOf = async (keyId: string) => {
    const client = await connect(pair.databaseUrl);
    const query = 'select ref, hash from secrets where key_id = $1 order by created_at';
    return (await client.query<{ ref: string; hash: string }>(query, [keyId])).rows;
  };
  /** Uses the key until its digest has been replaced by an argon2id hash. */
  const rehash = async (instance: Instance, key: string, keyId: string) => {
    while (!(await evidenceOf(keyId))[0]?.hash.startsWith('$argon2id$')) {
      expect(await verdict(instance, key)).toBe('VALID');
    }
  };

  it('an imported key is NOT_FOUND before its import and VALID on every instance after it', async () => {
    expect(await verdict(pair.second, 'old-1')).toBe('NOT_FOUND');
    const report = await importKeys([
      { name: 'one', hash: hashOf('old-1') },
      { name: 'two', hash: hashOf('old-2', 'sha512', 'base64'), scopes: ['a'] },
      { name: 'three', hash: hashOf('old-3', 'sha256', 'base64url') },
      { name: 'four', hash: hashOf('old-4', 'sha512') },
    ]);
    expect(report.body).toMatchObject({ created: 4, duplicates: 0, invalid: 0 });
    for (const instance of [pair.second, pair.first]) {
      for (const [index, key] of ['old-1', 'old-2', 'old-3', 'old-4'].entries()) {
        const { keyId } = report.body.results[index];
        expect((await verify(instance, key)).body).toMatchObject({ code: 'VALID', keyId });
      }
      expect(await verdict(instance, 'old-5')).toBe('NOT_FOUND');
      expect(await verdict(instance, hashOf('old-1').value)).toBe('NOT_FOUND');
    }
  });

  it('an imported key gets an argon2id hash on its first use, and is still found by its digest', async () => {
    const keyId = await importOne('rehashed');
    const [before] = await evidenceOf(keyId);
    expect(before?.ref).toBe(`${before?.hash}@default`);
    await rehash(pair.first, 'rehashed', keyId);
    const [after] = await evidenceOf(keyId);
    expect(after?.ref).toBe(before?.ref);
    expect(await verdict(pair.second, 'rehashed')).toBe('VALID');
    expect(await verdict(pair.second, 'rehashed ')).toBe('NOT_FOUND');
  });

  it('an imported key needs no argon2 after a restart', async () => {
    const keyId = await importOne('restarted');
    await rehash(pair.first, 'restarted', keyId);
    const restarted = await launch(pair.databaseUrl);
    expect(await verdict(restarted, 'restarted')).toBe('VALID');
    expect(await metric(restarted, 'keyward_argon2_runs_total')).toBe(0);
    await restarted.stop();
  });

  it('all imported keys are rehashed in the end, however many are used at once, and new keys need not wait', async () => {
    const keys = Array.from({ length: 60 }, (_, i) => `many-${i}`);
    const { body } = await importKeys(keys.map((key) => ({ name: key, hash: hashOf(key) })));
    const codes = await Promise.all(keys.map((key) => verdict(pair.first, key)));
    expect(new Set(codes)).toEqual(new Set(['VALID']));
    const created = await pair.first.call('POST', '/v1/keys', { body: { name: 'new' } });
    expect(created.status).toBe(201);
    for (const [index, { keyId }] of body.results.entries()) {
      await rehash(pair.first, keys[index] ?? '', keyId);
    }
  });

  it('an imported key rotates into the native format, keeps its identity, and its old string ends at once everywhere', async () => {
    const keyId = await importOne('rotated', { prefix: 'my_app' });
    const rotate = (body: object) => pair.first.call('POST', `/v1/keys/${keyId}/rotate`, { body });
    const rotated = await rotate({ graceSeconds: 60 });
    expect(rotated.body.key).toMatch(/^my_app_/);
    expect((await verify(pair.second, rotated.body.key)).body).toMatchObject({
      code: 'VALID',
      keyId,
    });
    expect((await verify(pair.second, 'rotated')).body).toMatchObject({
      code: 'VALID',
      rotation: { retiring: true },
    });
    await rehash(pair.second, 'rotated', keyId);
    await warmKey('rotated', pair.second);
    await pair.first.call('DELETE', `/v1/keys/${keyId}/retiring-secret`);
    expect(await verdict(pair.second, 'rotated')).toBe('NOT_FOUND');
    const other = await importOne('rotated at once');
    await rehash(pair.second, 'rotated at once', other);
    await warmKey('rotated at once', pair.second);
    await pair.first.call('POST', `/v1/keys/${other}/rotate`, { body: { graceSeconds: 0 } });
    expect(await verdict(pair.second, 'rotated at once')).toBe('NOT_FOUND');
  });

  it('an imported key is revoked at once on every instance, and a second import does not revive it', async () => {
    const keyId = await importOne('revoked');
    await rehash(pair.second, 'revoked', keyId);
    await warmKey('revoked', pair.second);
    await pair.first.call('POST', `/v1/keys/${keyId}/revoke`);
    expect(await verdict(pair.second, 'revoked')).toBe('REVOKED');
    expect(statuses(await importKeys([{ name: 'again', hash: hashOf('revoked') }]))).toEqual([
      'duplicate',
    ]);
  });

  it('duplicate and refused items of an import are reported individually, and do not keep the others out', async () => {
    const hash = hashOf('dup-1');
    const digest = (value: string) => ({ name: 'digest', hash: { algorithm: 'sha256', value } });
    const report = await importKeys([
      { name: 'first', hash },
      { name: 'same', hash },
      { name: 'in base64', hash: hashOf('dup-1', 'sha256', 'base64') },
      digest(hashOf('x', 'sha512').value),
      digest('z'.repeat(64)),
      { name: 'past', hash: hashOf('dup-2'), expiresAt: '2020-01-01T00:00:00Z' },
      { name: 'prefix', hash: hashOf('dup-3'), prefix: 'kw' },
      { name: 'last', hash: hashOf('dup-4') },
    ]);
    expect(report.status).toBe(200);
    expect(report.body).toMatchObject({ created: 2, duplicates: 2, invalid: 4 });
    expect(statuses(report)).toEqual([
      'created',
      'duplicate',
      'duplicate',
      'invalid',
      'invalid',
      'invalid',
      'invalid',
      'created',
    ]);
    const pointers = report.body.results.map((one: Result) => one.errors[0]?.pointer ?? null);
    expect(pointers.slice(3, 7)).toEqual(['/hash/value', '/hash/value', '/expiresAt', '/prefix']);
    expect(report.text).not.toContain(hash.value);
  });

  it('an item of another shape is refused alone, and too few or too many items as a whole', async () => {
    const good = { name: 'shape', hash: hashOf('shape') };
    const answer = await importKeys([good, { ...good, colour: 'red' }]);
    expect(answer.body).toMatchObject({ created: 1, invalid: 1 });
    expect(answer.body.results[1].errors[0].pointer).toBe('/colour');
    expect((await importKeys([])).status).toBe(400);
    expect((await importKeys(Array.from({ length: 1001 }, () => good))).status).toBe(400);
    expect(await verdict(pair.second, 'shape')).toBe('VALID');
  });

  it('imported keys obey the policies of their workspace', async () => {
    const workspaceId = 'strict';
    await putWorkspace(pair.first, workspaceId, {
      requireExpiry: true,
      availableScopes: [{ scope: 'read', title: 'Read', description: 'Reads' }],
      maxActiveKeys: 3,
    });
    const expiresInSeconds = 3600;
    const of = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => ({
        name: 'k',
        hash: hashOf(`strict-${from + i}`),
        expiresInSeconds,
      }));
    const report = await importKeys(
      [
        { name: 'forever', hash: hashOf('strict-a') },
        { name: 'scope', hash: hashOf('strict-b'), expiresInSeconds, scopes: ['write'] },
        ...of(0, 2),
      ],
      { workspaceId },
    );
    expect(statuses(report)).toEqual(['invalid', 'invalid', 'created', 'created']);
    const full = await importKeys(of(2, 2), { workspaceId });
    expect(full).toMatchObject({ status: 409, body: { code: 'KEY_LIMIT_REACHED' } });
    expect(await verdict(pair.second, 'strict-2')).toBe('NOT_FOUND');
    expect(statuses(await importKeys(of(0, 3), { workspaceId }))).toEqual([
      'duplicate',
      'duplicate',
      'created',
    ]);
    await putWorkspace(pair.first, workspaceId, { apiAccess: false });
    const gated = await importKeys(of(5, 1), { workspaceId });
    expect(gated).toMatchObject({ status: 403, body: { code: 'UPGRADE_REQUIRED' } });
  });

  it('two instances that import the same 1000 keys at once in different orders make each once', async () => {
    const items = Array.from({ length: 1000 }, (_, i) => ({
      name: `k${i}`,
      hash: hashOf(`both-${i}`, i % 2 === 0 ? 'sha256' : 'sha512'),
    }));
    const answers = await callConcurrently(pair, 4, (instance, index) =>
      retryOn503(instance, 'POST', '/v1/keys/import', {
        body: { keys: index < 2 ? items : items.toReversed() },
        headers: { 'idempotency-key': `both-${index}` },
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const sum = (name: string) => answers.reduce((total, { body }) => total + body[name], 0);
    expect([sum('created'), sum('duplicates')]).toEqual([1000, 3000]);
    const client = await connect(pair.databaseUrl);
    const { rows } = await client.query(
      `select count(*)::int as keys, count(distinct ref)::int as refs from secrets join keys k
           on k.id = key_id where k.name ~ '^k[0-9]+$' and k.workspace_id = 'default'`,
    );
    expect(rows).toEqual([{ keys: 1000, refs: 1000 }]);
    expect(await verdict(pair.second, 'both-999')).toBe('VALID');
  });
});

interface Result {
  errors: { pointer: string }[];
}
