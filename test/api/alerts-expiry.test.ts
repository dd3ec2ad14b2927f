import { describe, expect, it } from 'vitest';
import {
  alertsOf,
  DAY_MS,
  DAY_S,
  HOUR_MS,
  lookAfter,
  newWorkspace,
  openIn,
  thresholds,
} from '../support/alerts.ts';
import { createManagementKey, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const pair = usePair();
const EXPIRY = thresholds({ expiringDays: [7, 30, 1] });

const keyFor = (workspaceId: string, days: number, more: object = {}) =>
  createKey(pair.first, { workspaceId, expiresInSeconds: days * DAY_S, ...more });
const daysOf = async (workspaceId: string, query: Record<string, string> = {}) =>
  (await alertsOf(pair, workspaceId, { type: 'key_expiring', ...query })).map(
    ({ details }) => details.days,
  );

describe('keys that expire', () => {
  it('a key that expires is alerted of once for each threshold that it reaches, and the alert of the one before ends', async () => {
    const workspaceId = await newWorkspace(pair, EXPIRY);
    const { id } = await keyFor(workspaceId, 40);
    await lookAfter(pair, 9 * DAY_MS);
    expect(await alertsOf(pair, workspaceId)).toEqual([]);
    for (const [days, expected] of [
      [2, [30]],
      [1, [30]],
      [21, [7, 30]],
      [1, [7, 30]],
      [5.5, [1, 7, 30]],
    ] as const) {
      await lookAfter(pair, days * DAY_MS);
      expect(await daysOf(workspaceId)).toEqual(expected);
      expect(await daysOf(workspaceId, { state: 'open' })).toEqual(expected.slice(0, 1));
    }
    expect(await openIn(pair, workspaceId)).toEqual([`key_expiring ${id}`]);
    await lookAfter(pair, DAY_MS);
    expect(await openIn(pair, workspaceId)).toEqual([]);
  });

  it('a key is alerted of by no threshold that is as long as its whole life', async () => {
    const workspaceId = await newWorkspace(pair, EXPIRY);
    await keyFor(workspaceId, 5);
    const short = await keyFor(workspaceId, 0.5);
    await verdict(pair.first, short.key);
    await lookAfter(pair, HOUR_MS);
    await lookAfter(pair, 12 * HOUR_MS);
    expect(await alertsOf(pair, workspaceId)).toEqual([]);
    await lookAfter(pair, 3.6 * DAY_MS);
    expect(await daysOf(workspaceId)).toEqual([1]);
  });

  it('the alert of an expiry ends when the key is extended, disabled, revoked or deleted, and fires for the new expiry again', async () => {
    const workspaceId = await newWorkspace(pair, EXPIRY);
    const keys = [];
    for (let each = 0; each < 4; each++) keys.push(await keyFor(workspaceId, 35));
    const [extended, disabled, revoked, deleted] = keys.map(({ id }) => `/v1/keys/${id}`);
    await lookAfter(pair, 6 * DAY_MS);
    expect(await openIn(pair, workspaceId)).toHaveLength(4);
    const expiresAt = new Date(pair.first.service.internals.clock.now() + 40 * DAY_MS);
    await pair.first.call('PATCH', extended ?? '', { body: { expiresAt } });
    await pair.first.call('PATCH', disabled ?? '', { body: { enabled: false } });
    await pair.first.call('POST', `${revoked}/revoke`);
    await pair.first.call('DELETE', deleted ?? '');
    await lookAfter(pair, HOUR_MS);
    expect(await openIn(pair, workspaceId)).toEqual([]);
    await lookAfter(pair, 11 * DAY_MS);
    expect(await openIn(pair, workspaceId)).toEqual([`key_expiring ${keys[0]?.id}`]);
  });

  it('a key that expired while it was in use is alerted of for a week, one that nobody used is not', async () => {
    const workspaceId = await newWorkspace(pair, EXPIRY);
    const used = await keyFor(workspaceId, 3);
    await keyFor(workspaceId, 3);
    expect(await verdict(pair.first, used.key)).toBe('VALID');
    await lookAfter(pair, 2.5 * DAY_MS);
    await lookAfter(pair, 0.6 * DAY_MS);
    expect(await openIn(pair, workspaceId)).toEqual([`key_expired ${used.id}`]);
    await lookAfter(pair, 6 * DAY_MS);
    expect(await openIn(pair, workspaceId)).toEqual([`key_expired ${used.id}`]);
    await lookAfter(pair, DAY_MS);
    expect(await openIn(pair, workspaceId)).toEqual([]);
    expect(await alertsOf(pair, workspaceId, { type: 'key_expired' })).toHaveLength(1);
  });

  it('a workspace without thresholds for expiries has no alert of them', async () => {
    const workspaceId = await newWorkspace(pair, thresholds({}));
    const { key } = await keyFor(workspaceId, 3);
    await verdict(pair.first, key);
    await lookAfter(pair, 2.5 * DAY_MS);
    await lookAfter(pair, DAY_MS);
    expect(await alertsOf(pair, workspaceId)).toEqual([]);
  });
});

describe('management keys that expire', () => {
  const managementKey = (workspaceId: string | null, days: number) =>
    createManagementKey(pair.first, {
      ...{ permissions: ['keys:read', 'alerts:read'], workspaceId },
      expiresInSeconds: days * DAY_S,
    });

  it('a management key is alerted of before it expires and after, once it was used, and no longer when it is revoked', async () => {
    const workspaceId = await newWorkspace(pair, EXPIRY);
    const manager = await managementKey(workspaceId, 3);
    await managementKey(workspaceId, 0.5);
    await pair.first.call('GET', '/v1/keys', { as: manager.key });
    await lookAfter(pair, 2.5 * DAY_MS);
    expect(await openIn(pair, workspaceId)).toEqual([`management_key_expiring ${manager.id}`]);
    await lookAfter(pair, DAY_MS);
    expect(await openIn(pair, workspaceId)).toEqual([`management_key_expired ${manager.id}`]);
    await pair.first.call('POST', `/v1/management-keys/${manager.id}/revoke`);
    await lookAfter(pair, HOUR_MS);
    expect(await openIn(pair, workspaceId)).toEqual([]);
  });

  it('the alert of a management key for all workspaces is of default, where callers that are bound to it do not see it', async () => {
    const { id } = await managementKey(null, 3);
    const bound = await createManagementKey(pair.first, {
      ...{ permissions: ['alerts:read'], workspaceId: 'default' },
    });
    await lookAfter(pair, 2.5 * DAY_MS);
    const [alert] = await alertsOf(pair, 'default', { targetId: id });
    expect(alert).toMatchObject({ type: 'management_key_expiring', details: { days: 1 } });
    const read = (url: string) => pair.first.call('GET', url, { as: bound.key });
    expect((await read(`/v1/alerts?targetId=${id}`)).body.data).toEqual([]);
    expect((await read(`/v1/alerts/${alert?.id}`)).status).toBe(404);
  });
});
