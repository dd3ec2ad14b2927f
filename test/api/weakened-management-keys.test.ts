import { expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { untilWaiting } from '../support/locks.ts';
import { auditOf, createManagementKey, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';

const pair = usePair();
const LATER = '2999-01-01T00:00:00Z';

it('a caller may extend a management key that did more than itself if it takes away the rest at the same time', async () => {
  const caller = await createManagementKey(pair.first, {
    permissions: ['management:read', 'management:write', 'keys:read'],
  });
  const { id } = await createManagementKey(pair.first, {
    permissions: ['keys:read', 'keys:write'],
    expiresInSeconds: 60,
  });
  const patch = (body: object) =>
    pair.second.call('PATCH', `/v1/management-keys/${id}`, { body, as: caller.key });
  expectProblem(await patch({ expiresAt: LATER }), { status: 403, code: 'FORBIDDEN' });
  expect((await patch({ name: 'renamed' })).status).toBe(200);
  const weakened = await patch({ expiresAt: LATER, permissions: ['keys:read'] });
  expect(weakened.body).toMatchObject({
    permissions: ['keys:read'],
    expiresAt: '2999-01-01T00:00:00.000Z',
  });
});

it.each([
  ['shortened', `expires_at = now() + interval '1 hour'`, { expiresAt: LATER }, 400],
  ['slowed down', 'max_requests_per_second = 5', { maxRequestsPerSecond: 9 }, 400],
  ['left without its permissions', `permissions = '{management:write}'`, { expiresAt: LATER }, 403],
  ['revoked', 'revoked_at = now()', { expiresAt: LATER }, 401],
])(
  'a caller that is %s during its own change of a management key extends none',
  async (_what, weakening, body, status) => {
    const caller = await createManagementKey(pair.first, {
      permissions: ['management:read', 'management:write', 'keys:read'],
    });
    const { id } = await createManagementKey(pair.first, {
      permissions: ['keys:read'],
      expiresInSeconds: 60,
      maxRequestsPerSecond: 3,
    });
    const client = await connect(pair.databaseUrl);
    await client.query('begin');
    await client.query(`update management_keys set ${weakening} where id = $1`, [caller.id]);
    const url = `/v1/management-keys/${id}`;
    const change = pair.first.call('PATCH', url, { body, as: caller.key });
    await untilWaiting(pair.databaseUrl, 1);
    await client.query('commit');
    expect((await change).status).toBe(status);
    const { body: after } = await pair.second.call('GET', url);
    expect(after.maxRequestsPerSecond).toBe(3);
    expect(Date.parse(after.expiresAt)).toBeLessThan(Date.parse(LATER));
  },
);

it('a change of a management key to what it is already keeps its ETag and is not on the record', async () => {
  const { id } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
  const url = `/v1/management-keys/${id}`;
  const before = await pair.first.call('GET', url);
  const entries = (await auditOf(pair.first, id)).length;
  for (const body of [{}, { name: before.body.name }, { permissions: ['keys:read'] }]) {
    const { status, headers } = await pair.first.call('PATCH', url, { body });
    expect([status, headers.etag]).toEqual([200, before.headers.etag]);
  }
  expect(await auditOf(pair.first, id)).toHaveLength(entries);
});

it('a retiring string of a management key is shown to end no later than the key', async () => {
  const { id } = await createManagementKey(pair.first, {
    permissions: ['keys:read'],
    expiresInSeconds: 60,
  });
  const url = `/v1/management-keys/${id}`;
  const rotated = await pair.first.call('POST', `${url}/rotate`, { body: { graceSeconds: 3600 } });
  expect(rotated.body.retiringUntil).toBe(rotated.body.expiresAt);
  const extended = await pair.first.call('PATCH', url, { body: { expiresAt: LATER } });
  const end = Date.parse(extended.body.retiringUntil) - Date.parse(rotated.body.expiresAt);
  expect(end).toBeGreaterThanOrEqual(3540 * 1000);
});
