import { describe, expect, it } from 'vitest';
import type { Instance } from '../support/instance.ts';
import { usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const HOUR_MS = 3_600_000;

describe('when a key was last used and last denied', () => {
  const pair = usePair();

  const use = async (instance: Instance, key: string) => {
    const { body } = await instance.call('POST', '/v1/verify', { body: { key } });
    expect(body.code).toBe('VALID');
  };
  const beDenied = async (instance: Instance, key: string) => {
    const body = { key, requiredScopes: ['nothing'] };
    const answer = await instance.call('POST', '/v1/verify', { body });
    expect(answer.body.code).toBe('INSUFFICIENT_SCOPE');
  };
  const flush = (instance: Instance) => instance.flush();
  const shown = async (id: string) => {
    const { body } = await pair.first.call('GET', `/v1/keys/${id}`);
    return { ...body.usage, secretLastUsedAt: body.secrets[0].lastUsedAt };
  };
  /** A key with one use and one denial that are written. */
  const usedKey = async () => {
    const created = await createKey(pair.first);
    await use(pair.first, created.key);
    await beDenied(pair.first, created.key);
    await flush(pair.first);
    pair.advance(2 * HOUR_MS);
    return { ...created, before: await shown(created.id) };
  };

  it('a batch of denials alone leaves when the key and its secret were last used', async () => {
    const { id, key, before } = await usedKey();
    await beDenied(pair.first, key);
    await flush(pair.first);
    const after = await shown(id);
    expect(after.total).toBe(3);
    expect(before.lastUsedAt).not.toBeNull();
    expect(after.lastUsedAt).toBe(before.lastUsedAt);
    expect(after.secretLastUsedAt).toBe(before.secretLastUsedAt);
    expect(Date.parse(after.lastDeniedAt)).toBeGreaterThan(Date.parse(before.lastDeniedAt));
  });

  it('a key that was only ever denied was never used', async () => {
    const { id, key } = await createKey(pair.first);
    await beDenied(pair.first, key);
    await flush(pair.first);
    expect(await shown(id)).toMatchObject({ total: 1, lastUsedAt: null, secretLastUsedAt: null });
  });

  it('a batch of uses alone leaves when the key was last denied', async () => {
    const { id, key, before } = await usedKey();
    await use(pair.first, key);
    await flush(pair.first);
    const after = await shown(id);
    expect(before.lastDeniedAt).not.toBeNull();
    expect(after.lastDeniedAt).toBe(before.lastDeniedAt);
    expect(Date.parse(after.lastUsedAt)).toBeGreaterThan(Date.parse(before.lastUsedAt));
    expect(after.secretLastUsedAt).toBe(after.lastUsedAt);
  });

  it('a batch that an instance writes late moves neither the last use nor the last denial back', async () => {
    const { id, key } = await usedKey();
    await use(pair.first, key);
    await beDenied(pair.first, key);
    pair.advance(2 * HOUR_MS);
    await use(pair.second, key);
    await beDenied(pair.second, key);
    await flush(pair.second);
    const before = await shown(id);
    await flush(pair.first);
    expect(await shown(id)).toEqual({ ...before, total: before.total + 2 });
  });
});
