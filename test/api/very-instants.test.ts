import type pg from 'pg';
import { beforeEach, describe, expect, it } from 'vitest';
import { hasRetiringSecret } from '../../src/credentials/store.ts';
import type { Transaction } from '../../src/db/database.ts';
import { lifetime } from '../../src/http/lifetime.ts';
import { endedBy } from '../../src/keys/find/ending.ts';
import { countActiveKeys, isExpired } from '../../src/keys/store.ts';
import { presentManagementKey } from '../../src/management/presenter.ts';
import { findManagementKey } from '../../src/management/store.ts';
import { connect, ormOf } from '../support/database.ts';
import { createManagementKey, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const END = new Date('2999-01-01T00:00:00.000Z');
const BEFORE = new Date(END.getTime() - 1);
const AFTER = new Date(END.getTime() + 1);

describe('the very instant of an end', () => {
  const pair = usePair();
  let client: pg.Client;
  beforeEach(async () => {
    client = await connect(pair.databaseUrl);
  });
  const inTransaction = <T>(work: (tx: Transaction) => Promise<T>) =>
    ormOf(client).transaction(work);

  it('a key counts as active until just before its expiry, and no longer at it', async () => {
    await createKey(pair.first, { expiresAt: END.toISOString() });
    const revoked = await createKey(pair.first);
    await pair.first.call('POST', `/v1/keys/${revoked.id}/revoke`);
    const counts: number[] = [];
    for (const at of [BEFORE, END, AFTER]) {
      counts.push(await countActiveKeys(ormOf(client), 'default', at));
    }
    expect(counts).toEqual([1, 0, 0]);
    expect([BEFORE, END].map((at) => isExpired({ expiresAt: END }, at))).toEqual([false, true]);
    expect(isExpired({ expiresAt: null }, AFTER)).toBe(false);
  });

  it('a string is retiring until just before its end, and no longer at it', async () => {
    const { id } = await createKey(pair.first);
    await pair.first.call('POST', `/v1/keys/${id}/rotate`, { body: { graceSeconds: 3600 } });
    const set = `update secrets set valid_until = $2 where key_id = $1 and status = 'retiring'`;
    await client.query(set, [id, END]);
    for (const [at, expected] of [
      [BEFORE, true],
      [END, false],
    ] as const) {
      expect(await inTransaction((tx) => hasRetiringSecret(tx, id, at))).toBe(expected);
    }
  });

  it('a management key and its retiring string are shown as ended at the very instant of their end', async () => {
    const { id } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    const url = `/v1/management-keys/${id}`;
    await pair.first.call('POST', `${url}/rotate`, { body: { graceSeconds: 3600 } });
    await pair.first.call('PATCH', url, { body: { expiresAt: AFTER.toISOString() } });
    const set = `update secrets set valid_until = $2 where key_id = $1 and status = 'retiring'`;
    await client.query(set, [id, END]);
    const record = await findManagementKey(ormOf(client), id, null);
    if (!record) throw new Error('the management key was just made');
    const shown = [BEFORE, END, AFTER].map((at) => presentManagementKey(record, at));
    expect(shown.map(({ retiringUntil }) => retiringUntil)).toEqual([
      END.toISOString(),
      null,
      null,
    ]);
    expect(shown.map(({ status }) => status)).toEqual(['active', 'active', 'expired']);
  });
});

describe('what a caller may ask for', () => {
  const none = { notBefore: null, expiresAt: null };
  const at = END;

  it('an expiry must be later than now, and the one that a key has may be sent back whenever', () => {
    const ask = (expiresAt: Date, current: Date | null = null) =>
      lifetime({ ...none, expiresAt: current }, { expiresAt: expiresAt.toISOString() }, at);
    expect(() => ask(BEFORE)).toThrow();
    expect(() => ask(END)).toThrow();
    expect(ask(AFTER).expiresAt).toEqual(AFTER);
    expect(ask(BEFORE, BEFORE).expiresAt).toEqual(BEFORE);
    expect(() => ask(BEFORE, END)).toThrow();
  });

  it('a key begins before it ends: not at the same instant', () => {
    const ask = (notBefore: Date) =>
      lifetime(none, { notBefore: notBefore.toISOString(), expiresAt: AFTER.toISOString() }, at);
    expect(ask(END).notBefore).toEqual(END);
    expect(() => ask(AFTER)).toThrow();
  });

  it('seconds from now are counted from the time of the call, and go with no other expiry', () => {
    expect(lifetime(none, { expiresInSeconds: 2 }, at).expiresAt).toEqual(
      new Date(END.getTime() + 2000),
    );
    expect(lifetime(none, { expiresInSeconds: 2, expiresAt: null }, at).expiresAt).not.toBeNull();
    const both = { expiresInSeconds: 2, expiresAt: AFTER.toISOString() };
    expect(() => lifetime(none, both, at)).toThrow();
  });

  it('what is left out of a request stays, and null takes it away', () => {
    const current = { notBefore: BEFORE, expiresAt: AFTER };
    expect(lifetime(current, {}, at)).toEqual(current);
    expect(lifetime(current, { notBefore: null, expiresAt: null }, at)).toEqual(none);
  });
});

describe('what ended a string', () => {
  const key = { revokedAt: null, deletedAt: null, expiresAt: null };
  const current = { status: 'current', validUntil: null } as const;
  const now = END.getTime();

  it.each([
    ['nothing', current, key, null],
    ['its rotation', { status: 'retired', validUntil: null }, key, 'rotation'],
    [
      'its rotation, at the very end of its grace',
      { ...current, validUntil: END },
      key,
      'rotation',
    ],
    ['nothing during its grace', { ...current, validUntil: AFTER }, key, null],
    ['its expiry, at its very instant', current, { ...key, expiresAt: END }, 'expiry'],
    ['nothing just before its expiry', current, { ...key, expiresAt: AFTER }, null],
    ['its revocation', current, { ...key, revokedAt: END }, 'revocation'],
    [
      'its deletion, which revokes too',
      current,
      { ...key, revokedAt: END, deletedAt: END },
      'deletion',
    ],
    [
      'the earlier revocation',
      current,
      { ...key, revokedAt: BEFORE, deletedAt: END },
      'revocation',
    ],
    ['the earlier expiry', current, { ...key, revokedAt: END, expiresAt: BEFORE }, 'expiry'],
    [
      'the earlier end of its grace',
      { ...current, validUntil: BEFORE },
      { ...key, revokedAt: END },
      'rotation',
    ],
    [
      'the revocation during its grace',
      { ...current, validUntil: END },
      { ...key, revokedAt: BEFORE },
      'revocation',
    ],
  ] as const)('a string was ended by %s', (_what, secret, ends, expected) => {
    expect(endedBy(secret, ends, now)).toBe(expected);
  });
});
