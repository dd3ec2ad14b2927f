import { beforeAll, describe, expect, it } from 'vitest';
import { rotateSecret } from '../../src/credentials/rotation.ts';
import { connect } from '../support/database.ts';
import type { CallOptions } from '../support/instance.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey, insertKey, verdict } from '../support/sql-keys.ts';

/** How far the clock of the instance that ends something is ahead of the one that answers. */
const AHEAD_MS = 3_600_000;
const GRACE_S = 60;
const T = Date.UTC(2030, 0, 1);

/** A change that ends the first string of a key, and what is said of that string then. */
type Ending = [what: string, code: string, calls: [method: string, path: string, body?: object][]];

const ROTATE = { graceSeconds: GRACE_S };

const ENDINGS: Ending[] = [
  ['rotating a key without grace', 'NOT_FOUND', [['POST', '/rotate', { graceSeconds: 0 }]]],
  [
    'superseding a rotation',
    'NOT_FOUND',
    [
      ['POST', '/rotate', ROTATE],
      ['POST', '/rotate', { ...ROTATE, supersede: true }],
    ],
  ],
  [
    'superseding a rotation without grace',
    'NOT_FOUND',
    [
      ['POST', '/rotate', ROTATE],
      ['POST', '/rotate', { graceSeconds: 0, supersede: true }],
    ],
  ],
  [
    'ending a grace',
    'NOT_FOUND',
    [
      ['POST', '/rotate', ROTATE],
      ['DELETE', '/retiring-secret'],
    ],
  ],
  ['revoking a key', 'REVOKED', [['POST', '/revoke', {}]]],
  ['deleting a key', 'NOT_FOUND', [['DELETE', '']]],
  ['disabling a key', 'DISABLED', [['PATCH', '', { enabled: false }]]],
];

describe('what ends at once', () => {
  const pair = usePair();
  beforeAll(() => pair.first.advance(AHEAD_MS));

  const call = async (method: string, url: string, options: CallOptions = {}) => {
    const answer = await pair.first.call(method, url, options);
    expect(answer.status).toBeLessThan(300);
    return answer;
  };

  it.each(ENDINGS)(
    '%s ends its string by a state, whatever the clock of another instance says: %s',
    async (_what, code, calls) => {
      const { id, key } = await createKey(pair.first);
      expect(await verdict(pair.second, key)).toBe('VALID');
      for (const [method, path, body] of calls) {
        await call(method, `/v1/keys/${id}${path}`, body ? { body } : {});
      }
      expect(await verdict(pair.second, key)).toBe(code);
    },
  );

  it('a bulk revocation and a revocation by the holder end a key by its state, whatever the clock of another instance says', async () => {
    const [bulk, given] = [await createKey(pair.first), await createKey(pair.first)];
    await call('POST', '/v1/keys/bulk-revoke', { body: { ids: [bulk.id] } });
    await call('POST', '/v1/whoami/revoke', { as: given.key });
    for (const { key } of [bulk, given]) expect(await verdict(pair.second, key)).toBe('REVOKED');
  });

  it('a suspended or deleted workspace has no valid key, whatever the clock of another instance says', async () => {
    await putWorkspace(pair.first, 'ending');
    const { key } = await createKey(pair.first, { workspaceId: 'ending' });
    const permissions = ['keys:read'] as const;
    const manager = await createManagementKey(pair.first, { permissions, workspaceId: 'ending' });
    await call('POST', '/v1/workspaces/ending/suspend');
    expect(await verdict(pair.second, key)).toBe('WORKSPACE_SUSPENDED');
    await call('DELETE', '/v1/workspaces/ending');
    expect(await verdict(pair.second, key)).toBe('NOT_FOUND');
    expect((await pair.second.call('GET', '/v1/keys', { as: manager.key })).status).toBe(401);
  });

  it('a management key that is rotated without grace, revoked, or revoked by its holder is refused, whatever the clock of another instance says', async () => {
    const make = () => createManagementKey(pair.first, { permissions: ['keys:read'] });
    const [rotated, revoked, given] = [await make(), await make(), await make()];
    const body = { graceSeconds: 0 };
    await call('POST', `/v1/management-keys/${rotated.id}/rotate`, { body });
    await call('POST', `/v1/management-keys/${revoked.id}/revoke`);
    await call('POST', '/v1/whoami/revoke', { as: given.key });
    for (const { key } of [rotated, revoked, given]) {
      expect((await pair.second.call('GET', '/v1/keys', { as: key })).status).toBe(401);
    }
  });

  it('a string that a rotation without grace ended is not listed with its key, whatever the clock of another instance says', async () => {
    const { id } = await createKey(pair.first);
    const { body } = await call('POST', `/v1/keys/${id}/rotate`, { body: { graceSeconds: 0 } });
    const read = await pair.second.call('GET', `/v1/keys/${id}`);
    expect(read.body.secrets).toEqual(body.secrets);
    expect(read.body.secrets).toMatchObject([{ status: 'current', validUntil: null }]);
  });
});

describe('a grace', () => {
  const pair = usePair();

  it('a grace refuses another rotation until just before it ends, and none at that very instant', async () => {
    const sql = await connect(pair.databaseUrl);
    const [keyId, ref] = ['key_instant', 'instant'];
    await insertKey(sql, { id: keyId, ref });
    const { orm } = pair.first.service.internals.database;
    const rotateAt = (at: number) =>
      orm.transaction((tx) => {
        const issued = { key: '', ref: `${ref} ${at}`, start: '', hash: 'none', proof: null };
        return rotateSecret(tx, { keyId, workspaceId: 'default' }, issued, ROTATE, new Date(at));
      });
    await rotateAt(T);
    const endsAt = T + GRACE_S * 1000;
    await expect(rotateAt(endsAt - 1)).rejects.toMatchObject({ code: 'ROTATION_UNDER_WAY' });
    await expect(rotateAt(endsAt)).resolves.toBeUndefined();
  });
});
