import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { base62, checksumOf, forgeKey, partsOf, readChecksumKey } from '../support/forged-key.ts';
import { type Instance, launch } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';

describe('a key that is not one', () => {
  let database: TestDatabase;
  let issuing: Instance;
  let checksumKey: Uint8Array;
  let started: Instance[];

  beforeAll(async () => {
    database = await createTestDatabase();
    checksumKey = await readChecksumKey(database.url);
    issuing = await launch(database.url);
    started = [issuing];
  });
  afterAll(async () => {
    for (const instance of started) await instance.stop();
    await database.drop();
  });

  /** An instance with an empty cache; without KEYWARD_SECRET it cannot use any stored proof. */
  const fresh = async (secret?: 'without secret') => {
    const instance = await launch(database.url, secret ? { secret: undefined } : {});
    started.push(instance);
    return instance;
  };
  const create = async () =>
    (await issuing.call('POST', '/v1/keys', { body: { name: 'one' } })).body as {
      id: string;
      key: string;
    };
  const verify = (instance: Instance, key: string) =>
    instance.call('POST', '/v1/verify', { body: { key }, headers: { 'x-request-id': 'same' } });

  /** The public part of a real key, with another secret and a matching checksum. */
  const withAnotherSecret = (key: string) => {
    const { prefix, ref } = partsOf(key);
    const body = `${prefix}_${ref}${base62(43)}`;
    return body + checksumOf(body, checksumKey);
  };
  const withAnotherChecksum = (key: string) => {
    const { checksum } = partsOf(key);
    const other = checksum.startsWith('a') ? 'b' : 'a';
    return key.slice(0, -6) + other + checksum.slice(1);
  };
  const unknown = () => forgeKey('ak_live', base62(16), checksumKey);

  const cost = async (instance: Instance, work: () => Promise<unknown>) => {
    const read = async () => ({
      argon2: await metric(instance, 'keyward_argon2_runs_total'),
      loads: await metric(instance, 'keyward_credential_loads_total'),
    });
    const before = await read();
    await work();
    const after = await read();
    return { argon2: after.argon2 - before.argon2, loads: after.loads - before.loads };
  };

  it('every wrong key is answered byte for byte alike, whatever is wrong with it', async () => {
    const { key } = await create();
    const ended = await create();
    const deleted = await create();
    await issuing.call('POST', `/v1/keys/${ended.id}/rotate`, { body: { graceSeconds: 0 } });
    await issuing.call('DELETE', `/v1/keys/${deleted.id}`);
    const wrong = [
      'garbage',
      'ak_live_',
      key.slice(0, -1),
      `${key}x`,
      key.toUpperCase(),
      ` ${key}`,
      unknown(),
      withAnotherChecksum(key),
      withAnotherSecret(key),
      withAnotherSecret(deleted.key),
      ended.key,
      deleted.key,
    ];
    const answers = [];
    for (const text of wrong) answers.push(await verify(issuing, text));
    const [first, ...others] = answers.map(({ status, headers, text }) => {
      const { date: _, ...rest } = headers;
      return { status, headers: rest, text };
    });
    expect(first).toMatchObject({ status: 200 });
    expect(JSON.parse(first?.text ?? '')).toMatchObject({ valid: false, code: 'NOT_FOUND' });
    for (const other of others) expect(other).toEqual(first);
  });

  it('the answer for a wrong key reveals nothing: every field of a key is null', async () => {
    const { valid, code, stale, requestId, ...rest } = (await verify(issuing, unknown())).body;
    expect({ valid, code, stale, requestId }).toEqual({
      valid: false,
      code: 'NOT_FOUND',
      stale: false,
      requestId: 'same',
    });
    expect(Object.keys(rest)).toContain('keyId');
    expect(Object.values(rest).every((value) => value === null)).toBe(true);
  });

  it('a malformed or mistyped key costs neither argon2 nor a load', async () => {
    const { key } = await create();
    const instance = await fresh('without secret');
    const spent = await cost(instance, async () => {
      for (const text of ['garbage', key.slice(1), `${key}x`, withAnotherChecksum(key)]) {
        await verify(instance, text);
      }
    });
    expect(spent).toEqual({ argon2: 0, loads: 0 });
  });

  it('a key with an unknown ref costs no argon2, and one load in all', async () => {
    const instance = await fresh('without secret');
    const key = unknown();
    const spent = await cost(instance, async () => {
      for (let i = 0; i < 3; i++) await verify(instance, key);
    });
    expect(spent).toEqual({ argon2: 0, loads: 1 });
  });

  it('a wrong key with a valid checksum costs no argon2 if a proof is stored', async () => {
    const { key } = await create();
    const instance = await fresh();
    const spent = await cost(instance, async () => {
      await verify(instance, withAnotherSecret(key));
      expect((await verify(instance, key)).body.code).toBe('VALID');
    });
    expect(spent).toEqual({ argon2: 0, loads: 1 });
  });

  it('a wrong key costs one argon2 run if no proof is usable, however often and concurrently it is presented', async () => {
    const { key } = await create();
    const instance = await fresh('without secret');
    const wrong = withAnotherSecret(key);
    const spent = await cost(instance, async () => {
      await Promise.all(Array.from({ length: 5 }, () => verify(instance, wrong)));
      for (let i = 0; i < 3; i++) await verify(instance, wrong);
    });
    expect(spent.argon2).toBe(1);
  });

  it('a wrong key does not make the right key of the same ref wrong, nor the other way round', async () => {
    const { key } = await create();
    const instance = await fresh('without secret');
    const wrong = withAnotherSecret(key);
    const codes = [];
    for (const text of [wrong, key, wrong, key]) {
      codes.push((await verify(instance, text)).body.code);
    }
    expect(codes).toEqual(['NOT_FOUND', 'VALID', 'NOT_FOUND', 'VALID']);
  });

  it('a wrong key is counted, but not for any key', async () => {
    const { id, key } = await create();
    const client = await connect(database.url);
    const counted = async () => {
      await issuing.flush();
      const { rows } = await client.query('select sum(count)::int as total from usage_unmatched');
      return rows[0].total ?? 0;
    };
    const before = await counted();
    await verify(issuing, withAnotherSecret(key));
    await verify(issuing, withAnotherChecksum(key));
    expect((await counted()) - before).toBe(2);
    const usage = await issuing.call('GET', `/v1/keys/${id}/usage`);
    expect(usage.body).toMatchObject({ total: 0, byCode: {} });
  });
});
