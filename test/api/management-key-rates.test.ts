import { expect, it } from 'vitest';
import { PERMISSIONS } from '../../src/domain/caller.ts';
import type { Answer } from '../support/instance.ts';
import { createManagementKey, usePair } from '../support/pair.ts';

const pair = usePair();
const workspaceId = 'default';

const root = (method: string, url: string, body?: object) =>
  pair.first.call(method, url, { ...(body && { body }) });
const outcome = ({ status, body }: Answer) => `${status} ${body?.code ?? ''}`.trim();
const manager = (maxRequestsPerSecond: number | null) =>
  createManagementKey(pair.first, { permissions: PERMISSIONS, workspaceId, maxRequestsPerSecond });
const make = (as: string, fields: object = {}) =>
  pair.first.call('POST', '/v1/management-keys', {
    as,
    body: { name: 'child', permissions: ['management:write', 'keys:read'], ...fields },
  });
const path = (id: string) => `/v1/management-keys/${id}`;
const rateOf = async (id: string) => (await root('GET', path(id))).body.maxRequestsPerSecond;

it('what a limited management key creates has its maximum by default, may have a lower one, and never a higher one', async () => {
  const maker = await manager(100);
  expect((await make(maker.key)).body.maxRequestsPerSecond).toBe(100);
  expect((await make(maker.key, { maxRequestsPerSecond: null })).body.maxRequestsPerSecond).toBe(
    100,
  );
  expect((await make(maker.key, { maxRequestsPerSecond: 7 })).body.maxRequestsPerSecond).toBe(7);
  const more = await make(maker.key, { maxRequestsPerSecond: 101 });
  expect(outcome(more)).toBe('400 INVALID_REQUEST');
  expect(more.body.errors).toEqual([
    {
      pointer: '/body/maxRequestsPerSecond',
      detail: 'must not be more than 100, the maximum of the management key behind it',
    },
  ]);
  const { body } = await make((await manager(null)).key);
  expect(body.maxRequestsPerSecond).toBeNull();
});

it('a limited management key raises neither its own maximum nor that of another key above its own', async () => {
  const limited = await manager(100);
  const other = await manager(50);
  const patch = (id: string, maxRequestsPerSecond: number | null) =>
    pair.first.call('PATCH', path(id), { as: limited.key, body: { maxRequestsPerSecond } });
  for (const { id } of [limited, other]) {
    for (const value of [101, null]) {
      expect(outcome(await patch(id, value))).toBe('400 INVALID_REQUEST');
    }
  }
  expect((await patch(other.id, 100)).status).toBe(200);
  expect((await patch(limited.id, 90)).status).toBe(200);
  expect(outcome(await patch(limited.id, 100))).toBe('400 INVALID_REQUEST');
});

it('nobody raises a management key above the maximum of the one that created it', async () => {
  const maker = await manager(100);
  const child = (await make(maker.key, { maxRequestsPerSecond: 10 })).body;
  expect(outcome(await root('PATCH', path(child.id), { maxRequestsPerSecond: 101 }))).toBe(
    '400 INVALID_REQUEST',
  );
  expect((await root('PATCH', path(child.id), { maxRequestsPerSecond: 100 })).status).toBe(200);
});

it('a maximum that is lowered is lowered for everything that the management key made, and audited for each', async () => {
  const maker = await manager(null);
  const child = (await make(maker.key)).body;
  const slow = (await make(maker.key, { maxRequestsPerSecond: 3 })).body;
  const grandchild = (await make(child.key)).body;
  await root('PATCH', path(maker.id), { maxRequestsPerSecond: 20 });
  const rates = await Promise.all([maker, child, slow, grandchild].map(({ id }) => rateOf(id)));
  expect(rates).toEqual([20, 20, 3, 20]);
  const log = await root('GET', `/v1/audit-events?targetId=${grandchild.id}`);
  expect(log.body.data[0]).toMatchObject({
    action: 'management_key.updated',
    before: { maxRequestsPerSecond: null },
    after: { maxRequestsPerSecond: 20 },
  });
});

it('a limited management key is not handed a faster one by a rotation', async () => {
  const limited = await manager(100);
  const fast = await manager(null);
  const rotate = (id: string) =>
    pair.first.call('POST', `${path(id)}/rotate`, { as: limited.key, body: { graceSeconds: 0 } });
  expect(outcome(await rotate(fast.id))).toBe('403 FORBIDDEN');
  expect((await rotate((await manager(100)).id)).status).toBe(200);
});
