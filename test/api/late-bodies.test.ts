import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { PERMISSIONS } from '../../src/domain/caller.ts';
import { connect } from '../support/database.ts';
import { untilWaiting } from '../support/locks.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';

const pair = usePair();
const SURVIVOR = { name: 'survivor', permissions: ['keys:read'] };

interface Manager {
  id: string;
  key: string;
}

/** Sends a call without its body, which `finish` sends. Returns once the caller is authenticated. */
async function begin(url: string, { id, key }: Manager) {
  const payload = new PassThrough();
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const options = { method: 'POST', url, headers, payload } as const;
  const answer = pair.first.service.app.inject(options).then((response) => response);
  payload.write('{');
  await untilUsed(id);
  return async (body: object) => {
    payload.end(JSON.stringify(body).slice(1));
    return (await answer).statusCode;
  };
}

async function untilUsed(id: string): Promise<void> {
  for (;;) {
    await pair.flush();
    const { body } = await pair.second.call('GET', `/v1/management-keys/${id}`);
    if (body.lastUsedAt !== null) return;
  }
}

it.each<[string, (path: string) => Promise<unknown>, number]>([
  ['was revoked', (path) => pair.second.call('POST', `${path}/revoke`), 401],
  [
    'was rotated without grace',
    (path) => pair.second.call('POST', `${path}/rotate`, { body: { graceSeconds: 0 } }),
    401,
  ],
  [
    'lost the permission',
    (path) => pair.second.call('PATCH', path, { body: { permissions: ['keys:read'] } }),
    403,
  ],
])(
  'a call whose body arrives after its management key %s is refused, whenever it began',
  async (_, takeAway, status) => {
    const manager = await createManagementKey(pair.first, {
      permissions: ['management:write', 'keys:read'],
    });
    const finish = await begin('/v1/management-keys', manager);
    await takeAway(`/v1/management-keys/${manager.id}`);
    expect(await finish(SURVIVOR)).toBe(status);
  },
);

it('a string is not looked up for a management key that was revoked before the string arrived', async () => {
  const manager = await createManagementKey(pair.first, { permissions: ['keys:read'] });
  const finish = await begin('/v1/keys/find', manager);
  await pair.second.call('POST', `/v1/management-keys/${manager.id}/revoke`);
  expect(await finish({ key: 'any' })).toBe(401);
});

it('a change that a former tenant began does not reach the workspace that was made again meanwhile', async () => {
  await putWorkspace(pair.first, 'reborn');
  const options = { permissions: PERMISSIONS, workspaceId: 'reborn' };
  const former = await createManagementKey(pair.first, options);
  const successor = await connect(pair.databaseUrl);
  await successor.query('begin');
  await successor.query("select from workspaces where id = 'reborn' for update");
  const calls = [
    pair.first.call('POST', '/v1/management-keys', { as: former.key, body: SURVIVOR }),
    pair.first.call('PATCH', '/v1/workspaces/reborn', { as: former.key, body: { name: 'mine' } }),
  ];
  await untilWaiting(pair.databaseUrl, calls.length);
  await successor.query('update management_keys set revoked_at = now() where id = $1', [former.id]);
  await successor.query(
    "update workspaces set created_at = now() + interval '1 s' where id = 'reborn'",
  );
  await successor.query('commit');
  expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([401, 401]);
  const { body } = await pair.first.call('GET', '/v1/management-keys?workspaceId=reborn');
  expect(body.data.map(({ id }: Manager) => id)).toEqual([former.id]);
});

it('a management key may revoke itself and delete its own workspace', async () => {
  await putWorkspace(pair.first, 'left');
  const options = { permissions: PERMISSIONS, workspaceId: 'left' };
  const [one, other] = [
    await createManagementKey(pair.first, options),
    await createManagementKey(pair.first, options),
  ];
  const revoked = await pair.first.call('POST', `/v1/management-keys/${one.id}/revoke`, {
    as: one.key,
  });
  const deleted = await pair.first.call('DELETE', '/v1/workspaces/left', { as: other.key });
  expect([revoked.status, deleted.status]).toEqual([200, 204]);
});
