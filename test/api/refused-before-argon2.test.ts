import { describe, expect, it } from 'vitest';
import { metric } from '../support/metrics.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { pauseHashing } from '../support/paused-hashing.ts';
import { createKey } from '../support/sql-keys.ts';

const HOUR_MS = 3_600_000;

/** A call that must be refused, made ready: the state that refuses it is there. */
interface Refused {
  url: string;
  body: object;
  headers?: Record<string, string>;
  as?: string;
}

describe('argon2 and what is refused', () => {
  const pair = usePair();
  const call = ({ url, ...options }: Refused) => pair.first.call('POST', url, options);
  const runs = () => metric(pair.first, 'keyward_argon2_runs_total');
  const expectRefusal = async (prepare: () => Promise<Refused>, code: string) => {
    const refused = await prepare();
    const before = await runs();
    expect((await call(refused)).body.code).toBe(code);
    expect(await runs()).toBe(before);
  };
  const createIn = (workspaceId: string, more: object = {}): Refused => ({
    url: '/v1/keys',
    body: { name: 'refused', workspaceId, ...more },
  });
  const rotate = (id: string, workspaceId: string): Refused => ({
    url: `/v1/keys/${id}/rotate`,
    body: { workspaceId, graceSeconds: 0 },
  });

  const creations: [string, string, () => Promise<Refused>][] = [
    ['in a workspace that does not exist', 'NOT_FOUND', async () => createIn('nowhere')],
    [
      'without API access',
      'UPGRADE_REQUIRED',
      async () => {
        await putWorkspace(pair.first, 'closed', { apiAccess: false });
        return createIn('closed');
      },
    ],
    [
      'beyond the number of active keys',
      'KEY_LIMIT_REACHED',
      async () => {
        await putWorkspace(pair.first, 'full', { maxActiveKeys: 0 });
        return createIn('full');
      },
    ],
    [
      'with a scope that the workspace does not know',
      'INVALID_REQUEST',
      async () => {
        await putWorkspace(pair.first, 'scoped', { availableScopes: [] });
        return createIn('scoped', { scopes: ['read'] });
      },
    ],
    [
      'without the expiry that the workspace requires',
      'INVALID_REQUEST',
      async () => {
        await putWorkspace(pair.first, 'expiring', { requireExpiry: true });
        return createIn('expiring');
      },
    ],
  ];

  it.each(creations)(
    'a key created %s is refused with %s and costs no argon2',
    (_, code, prepare) => expectRefusal(prepare, code),
  );

  const rotations: [string, string, () => Promise<Refused>][] = [
    ['that does not exist', 'NOT_FOUND', async () => rotate(`key_${'0'.repeat(22)}`, 'default')],
    [
      'that is revoked',
      'KEY_REVOKED',
      async () => {
        const { id } = await createKey(pair.first);
        await pair.first.call('POST', `/v1/keys/${id}/revoke`);
        return rotate(id, 'default');
      },
    ],
    [
      'that has expired',
      'KEY_EXPIRED',
      async () => {
        const { id } = await createKey(pair.first, { expiresInSeconds: 60 });
        pair.advance(HOUR_MS);
        return rotate(id, 'default');
      },
    ],
    [
      'without API access',
      'UPGRADE_REQUIRED',
      async () => {
        await putWorkspace(pair.first, 'downgraded');
        const { id } = await createKey(pair.first, { workspaceId: 'downgraded' });
        await putWorkspace(pair.first, 'downgraded', { apiAccess: false });
        return rotate(id, 'downgraded');
      },
    ],
    [
      'that has changed since it was read',
      'PRECONDITION_FAILED',
      async () => {
        const { id } = await createKey(pair.first);
        return { ...rotate(id, 'default'), headers: { 'if-match': '"0"' } };
      },
    ],
    [
      'during the grace of another rotation',
      'ROTATION_UNDER_WAY',
      async () => {
        const { id } = await createKey(pair.first);
        await pair.first.call('POST', `/v1/keys/${id}/rotate`, { body: { graceSeconds: 3600 } });
        return rotate(id, 'default');
      },
    ],
  ];

  it.each(rotations)(
    'a rotation of a key %s is refused with %s and costs no argon2',
    (_, code, prepare) => expectRefusal(prepare, code),
  );

  const managed: [string, string, () => Promise<Refused>][] = [
    [
      'creation for a workspace that does not exist',
      'NOT_FOUND',
      async () => ({
        url: '/v1/management-keys',
        body: { name: 'refused', permissions: ['keys:read'], workspaceId: 'nowhere' },
      }),
    ],
    [
      'creation with two expiries',
      'INVALID_REQUEST',
      async () => ({
        url: '/v1/management-keys',
        body: {
          name: 'refused',
          permissions: ['keys:read'],
          expiresAt: '2999-01-01T00:00:00Z',
          expiresInSeconds: 60,
        },
      }),
    ],
    [
      'rotation after its revocation',
      'KEY_REVOKED',
      async () => {
        const { id } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
        await pair.first.call('POST', `/v1/management-keys/${id}/revoke`);
        return rotateManagementKey(id);
      },
    ],
    [
      'rotation after its expiry',
      'KEY_EXPIRED',
      async () => {
        const options = { permissions: ['keys:read'] as const, expiresInSeconds: 60 };
        const { id } = await createManagementKey(pair.first, options);
        pair.advance(HOUR_MS);
        return rotateManagementKey(id);
      },
    ],
    [
      'rotation by a caller with fewer permissions',
      'FORBIDDEN',
      async () => {
        const { id } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
        const { key } = await createManagementKey(pair.first, {
          permissions: ['management:write'],
        });
        return { ...rotateManagementKey(id), as: key };
      },
    ],
  ];
  const rotateManagementKey = (id: string): Refused => ({
    url: `/v1/management-keys/${id}/rotate`,
    body: { graceSeconds: 0 },
  });

  it.each(managed)(
    "a management key's %s is refused with %s and costs no argon2",
    (_, code, prepare) => expectRefusal(prepare, code),
  );

  it('a key is refused that lost its API access while its string was hashed', async () => {
    await putWorkspace(pair.first, 'meanwhile');
    const hashing = pauseHashing(pair.first);
    const creation = call(createIn('meanwhile'));
    await hashing.begun;
    await putWorkspace(pair.second, 'meanwhile', { apiAccess: false });
    hashing.resume();
    expect((await creation).body.code).toBe('UPGRADE_REQUIRED');
  });

  it('a rotation is refused of a key that was revoked while its new string was hashed', async () => {
    const { id } = await createKey(pair.first);
    const hashing = pauseHashing(pair.first);
    const rotation = call(rotate(id, 'default'));
    await hashing.begun;
    await pair.second.call('POST', `/v1/keys/${id}/revoke`);
    hashing.resume();
    expect((await rotation).body.code).toBe('KEY_REVOKED');
  });

  it('a limit of active keys that was set while strings were hashed holds for them', async () => {
    await putWorkspace(pair.first, 'limited');
    const hashing = pauseHashing(pair.first, 3);
    const creations = Array.from({ length: 3 }, () => call(createIn('limited')));
    await hashing.begun;
    await putWorkspace(pair.second, 'limited', { maxActiveKeys: 1 });
    hashing.resume();
    const statuses = (await Promise.all(creations)).map(({ status }) => status).sort();
    expect(statuses).toEqual([201, 409, 409]);
  });
});
