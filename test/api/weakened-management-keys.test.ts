import { expect, it } from 'vitest';
import { createManagementKey, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';

const pair = usePair();
const LATER = '2999-01-01T00:00:00Z';

it('a caller may extend a management key that did more than itself if it takes away the rest at the same time', async () => {
  const caller = await createManagementKey(pair.first, {
    permissions: ['management:write', 'keys:read'],
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
