import { hash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { memoryBudget } from '../../src/lib/memory-budget.ts';
import { type Instance, launchForTest } from '../support/instance.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { recordStatements } from '../support/statements.ts';
import { warmKey, warmUnknown } from '../support/warm.ts';

const hashOf = (key: string, algorithm: 'sha256' | 'sha512') => ({
  algorithm,
  value: hash(algorithm, key),
});

/** As docs/import.md says. */
const LOOKUPS_PER_SECOND = 5000;

describe('strings that nobody knows', () => {
  const pair = usePair();
  let count = 0;
  const strangers = (number: number) =>
    Array.from({ length: number }, () => ({ key: `stranger ${count++}` }));
  const ask = async (instance: Instance, requests: object[], as?: string) => {
    const { status, body } = await instance.call('POST', '/v1/verify/batch', {
      body: { requests },
      ...(as === undefined ? {} : { as }),
    });
    return { status, codes: body.results?.map(({ code }: { code: string }) => code) };
  };
  /** Spends what a caller may look up in this second. */
  const exhaust = async (instance: Instance, as?: string) => {
    for (let i = 0; i < LOOKUPS_PER_SECOND / 100 + 1; i++) {
      const { status } = await ask(instance, strangers(100), as);
      if (status === 503) return;
    }
    throw new Error('every string was looked up');
  };
  /** An instance whose second lasts until it is moved on. */
  const frozen = async () => {
    const instance = await launchForTest(pair.databaseUrl);
    const { clock } = instance.service.internals;
    let now = clock.now();
    Object.defineProperty(clock, 'now', { value: () => now });
    return {
      instance,
      nextSecond: () => {
        now += 1000;
      },
    };
  };
  beforeAll(async () => {
    const keys = (['sha256', 'sha512'] as const).map((algorithm) => {
      return { name: algorithm, hash: hashOf(`imported ${algorithm}`, algorithm) };
    });
    await pair.first.call('POST', '/v1/keys/import', { body: { keys } });
    const { database } = pair.first.service.internals;
    const text = "select ref from secrets where hash like 'sha%'";
    while ((await database.query({ name: 'digests', text }, [])).length > 0) {
      for (const { name } of keys) await verdict(pair.first, `imported ${name}`);
    }
  });

  it('a batch of 100 strings that nobody knows is one load, though keys of two algorithms were imported', async () => {
    // Two rows for each string: how many one statement loads depends on the heap.
    const memory = { ...memoryBudget(1024 ** 3), loadedRows: 200 };
    const instance = await launchForTest(pair.databaseUrl, { memory });
    await verdict(instance, 'warm');
    const statements = recordStatements(instance.service.internals.database);
    const requests = strangers(100);
    for (const loads of [1, 1]) {
      const { codes } = await ask(instance, requests);
      expect(new Set(codes)).toEqual(new Set(['NOT_FOUND']));
      const sent = statements.filter((name) => name === 'load_credentials');
      expect(sent).toHaveLength(loads);
    }
  });

  it('the strangers of one caller, beyond what is looked up in a second, are refused alone: cached and native keys and other callers are answered', async () => {
    const { instance, nextSecond } = await frozen();
    await putWorkspace(pair.first, 'acme');
    const permissions = ['keys:verify'] as const;
    const bound = { permissions, workspaceId: 'acme' };
    const [one, two] = [
      await createManagementKey(pair.first, bound),
      await createManagementKey(pair.first, bound),
    ];
    const native = await createKey(pair.first);
    await warmKey('imported sha256', instance);
    await warmUnknown('a known stranger', instance);
    await exhaust(instance);
    const refused = await instance.call('POST', '/v1/verify', { body: strangers(1)[0] });
    expect(refused).toMatchObject({ status: 503, body: { code: 'OVERLOADED' } });
    expect(refused.headers['retry-after']).toBeDefined();
    expect(await verdict(instance, native.key)).toBe('VALID');
    expect(await verdict(instance, 'imported sha256')).toBe('VALID');
    expect(await verdict(instance, 'a known stranger')).toBe('NOT_FOUND');
    const mixed = [{ key: native.key }, ...strangers(1), { key: 'a known stranger' }];
    const { codes } = await ask(instance, mixed);
    expect(codes).toEqual(['VALID', 'UNAVAILABLE', 'NOT_FOUND']);
    expect((await ask(instance, strangers(100), one.key)).status).toBe(200);
    await exhaust(instance, one.key);
    expect((await ask(instance, strangers(1), two.key)).status).toBe(503);
    nextSecond();
    expect((await ask(instance, strangers(100))).status).toBe(200);
    expect((await ask(instance, strangers(100), two.key)).status).toBe(200);
  });

  it('an unknown string that is asked about again and again stays known, whatever flood of others comes', async () => {
    const instance = await launchForTest(pair.databaseUrl);
    await warmUnknown('a frequent stranger', instance);
    await warmKey('imported sha512', instance);
    for (let i = 0; i < 110; i++) {
      if (i % 20 === 0) instance.advance(1000);
      await ask(instance, strangers(100));
    }
    const { cache } = instance.service.internals;
    const { loads } = cache;
    expect(await verdict(instance, 'a frequent stranger')).toBe('NOT_FOUND');
    expect(await verdict(instance, 'imported sha512')).toBe('VALID');
    expect(cache.loads).toBe(loads);
  });
});
