import { describe, expect, it } from 'vitest';
import {
  alertsOf,
  DAY_MS,
  HOUR_MS,
  lookAfter,
  newWorkspace,
  openIn,
  thresholds,
} from '../support/alerts.ts';
import { putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const pair = usePair();
const call = (method: string, url: string, body?: object) =>
  pair.first.call(method, url, body ? { body } : {});

describe('a string that is old', () => {
  const ROTATION = thresholds({ rotationDueDays: 60 });

  it('a rotation is due once a string is as old as the workspace says, and not after it was rotated', async () => {
    const workspaceId = await newWorkspace(pair, ROTATION);
    const { id } = await createKey(pair.first, { workspaceId });
    await lookAfter(pair, 59 * DAY_MS);
    const young = await createKey(pair.first, { workspaceId });
    expect(await openIn(pair, workspaceId)).toEqual([]);
    await lookAfter(pair, DAY_MS);
    await lookAfter(pair, HOUR_MS);
    expect(await openIn(pair, workspaceId)).toEqual([`rotation_due ${id}`]);
    await call('POST', `/v1/keys/${id}/rotate`, { graceSeconds: 0 });
    await lookAfter(pair, HOUR_MS);
    expect(await openIn(pair, workspaceId)).toEqual([]);
    await lookAfter(pair, 60 * DAY_MS);
    const due = [id, young.id].map((due) => `rotation_due ${due}`).toSorted();
    expect(await openIn(pair, workspaceId)).toEqual(due);
  });

  it('no rotation is due of a key that is disabled, expired or revoked, nor where the threshold is off', async () => {
    const workspaceId = await newWorkspace(pair, ROTATION);
    const other = await newWorkspace(pair, thresholds({}));
    await createKey(pair.first, { workspaceId: other });
    await createKey(pair.first, { workspaceId, enabled: false });
    await createKey(pair.first, { workspaceId, expiresInSeconds: 3600 });
    const { id } = await createKey(pair.first, { workspaceId });
    await call('POST', `/v1/keys/${id}/revoke`);
    await lookAfter(pair, 61 * DAY_MS);
    expect([await openIn(pair, workspaceId), await openIn(pair, other)]).toEqual([[], []]);
  });
});

describe('a key that nobody uses', () => {
  const idle = { warnAfterDays: 30, disableAfterDays: null, revokeAfterDays: null, noticeDays: 7 };
  const IDLE = { ...thresholds({}), idlePolicy: idle };

  it('a key is alerted of once nobody has used it for as long as the idle policy says, until it is used, and then again', async () => {
    const workspaceId = await newWorkspace(pair, IDLE);
    const used = await createKey(pair.first, { workspaceId });
    const never = await createKey(pair.first, { workspaceId });
    await verdict(pair.first, used.key);
    await lookAfter(pair, 29 * DAY_MS);
    expect(await openIn(pair, workspaceId)).toEqual([]);
    await lookAfter(pair, 2 * DAY_MS);
    const both = [used, never].map(({ id }) => `key_unused ${id}`).toSorted();
    expect(await openIn(pair, workspaceId)).toEqual(both);
    await lookAfter(pair, 2 * DAY_MS);
    expect(await alertsOf(pair, workspaceId)).toHaveLength(2);
    await verdict(pair.first, used.key);
    await lookAfter(pair, HOUR_MS);
    expect(await openIn(pair, workspaceId)).toEqual([`key_unused ${never.id}`]);
    await lookAfter(pair, 31 * DAY_MS);
    expect(await openIn(pair, workspaceId)).toEqual(both);
  });

  it('a key that is idle by design, since it is disabled or is to be valid only later, is not alerted of', async () => {
    const workspaceId = await newWorkspace(pair, IDLE);
    const notBefore = new Date(pair.first.service.internals.clock.now() + 40 * DAY_MS);
    await createKey(pair.first, { workspaceId, enabled: false });
    const later = await createKey(pair.first, { workspaceId, notBefore });
    await lookAfter(pair, 69 * DAY_MS);
    expect(await openIn(pair, workspaceId)).toEqual([]);
    await lookAfter(pair, 2 * DAY_MS);
    expect(await openIn(pair, workspaceId)).toEqual([`key_unused ${later.id}`]);
  });

  it('the alert of an unused key stays when the key is disabled, and ends when the policy is lifted', async () => {
    const workspaceId = await newWorkspace(pair, IDLE);
    const { id } = await createKey(pair.first, { workspaceId });
    await lookAfter(pair, 31 * DAY_MS);
    await call('PATCH', `/v1/keys/${id}`, { enabled: false });
    await lookAfter(pair, HOUR_MS);
    expect(await openIn(pair, workspaceId)).toEqual([`key_unused ${id}`]);
    await putWorkspace(pair.first, workspaceId, thresholds({}));
    await lookAfter(pair, HOUR_MS);
    expect(await openIn(pair, workspaceId)).toEqual([]);
  });
});

describe('a string that has ended', () => {
  const endings = [
    ['rotation', 'NOT_FOUND', 'POST', '/rotate', { graceSeconds: 0 }],
    ['revocation', 'REVOKED', 'POST', '/revoke', {}],
    ['deletion', 'NOT_FOUND', 'DELETE', '', undefined],
  ] as const;

  it.each(endings)(
    'a string that is presented after its %s is alerted of, once, until nobody has presented it for a day',
    async (endedBy, code, method, path, body) => {
      const workspaceId = await newWorkspace(pair, thresholds({}));
      const { id, key } = await createKey(pair.first, { workspaceId });
      await call(method, `/v1/keys/${id}${path}`, body);
      await lookAfter(pair, HOUR_MS);
      expect(await openIn(pair, workspaceId)).toEqual([]);
      for (let each = 0; each < 3; each++) {
        expect(await verdict(pair.first, key)).toBe(code);
        await lookAfter(pair, 10 * HOUR_MS);
        expect(await openIn(pair, workspaceId)).toEqual([`ended_string_used ${id}`]);
      }
      const [alert, ...more] = await alertsOf(pair, workspaceId);
      expect([alert?.details.endedBy, more]).toEqual([endedBy, []]);
      await lookAfter(pair, 15 * HOUR_MS);
      expect(await openIn(pair, workspaceId)).toEqual([]);
      await verdict(pair.first, key);
      await lookAfter(pair, HOUR_MS);
      expect(await openIn(pair, workspaceId)).toEqual([`ended_string_used ${id}`]);
      expect(await alertsOf(pair, workspaceId)).toHaveLength(2);
    },
  );

  it('a string that is presented in its grace period, or denied for another reason, is no ended one', async () => {
    const workspaceId = await newWorkspace(pair, thresholds({}));
    const rotated = await createKey(pair.first, { workspaceId });
    const disabled = await createKey(pair.first, { workspaceId, enabled: false });
    await call('POST', `/v1/keys/${rotated.id}/rotate`, { graceSeconds: 86_400 });
    expect(await verdict(pair.first, rotated.key)).toBe('VALID');
    expect(await verdict(pair.first, disabled.key)).toBe('DISABLED');
    await lookAfter(pair, HOUR_MS);
    expect(await openIn(pair, workspaceId)).toEqual([]);
    await lookAfter(pair, DAY_MS);
    expect(await verdict(pair.first, rotated.key)).toBe('NOT_FOUND');
    await lookAfter(pair, HOUR_MS);
    expect(await openIn(pair, workspaceId)).toEqual([`ended_string_used ${rotated.id}`]);
  });

  it('a string that never was one is no ended one', async () => {
    const workspaceId = await newWorkspace(pair, thresholds({}));
    const { key } = await createKey(pair.first, { workspaceId });
    const body = { key: `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`, workspaceId };
    expect((await call('POST', '/v1/verify', body)).body.code).toBe('NOT_FOUND');
    await lookAfter(pair, HOUR_MS);
    expect(await openIn(pair, workspaceId)).toEqual([]);
  });

  it('a string of a former tenant of the workspace is no alert of the next one', async () => {
    const workspaceId = await newWorkspace(pair, thresholds({}));
    const { key } = await createKey(pair.first, { workspaceId });
    await call('DELETE', `/v1/workspaces/${workspaceId}`);
    pair.advance(HOUR_MS);
    await putWorkspace(pair.first, workspaceId, thresholds({}));
    expect(await verdict(pair.first, key)).toBe('NOT_FOUND');
    await lookAfter(pair, HOUR_MS);
    expect(await alertsOf(pair, workspaceId)).toEqual([]);
  });
});
