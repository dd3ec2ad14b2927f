import { expect, it } from 'vitest';
import {
  alertsOf,
  DAY_MS,
  lookAfter,
  MINUTE_MS,
  newWorkspace,
  openIn,
  thresholds,
} from '../support/alerts.ts';
import { usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const pair = usePair();
const FIVE_MINUTES = 5 * MINUTE_MS;
const CREDITS = thresholds({ creditsLow: 10 });

const keyWith = (workspaceId: string, credits: object) =>
  createKey(pair.first, { workspaceId, credits });

async function spend({ key }: { key: string }, cost: number): Promise<string> {
  return (await pair.first.call('POST', '/v1/verify', { body: { key, cost } })).body.code;
}

const change = (id: string, operation: string, amount: number) =>
  pair.first.call('POST', `/v1/keys/${id}/credits`, { body: { operation, amount } });

it('a key whose credits run out is alerted of when few are left and when none is, and no longer when it has enough', async () => {
  const workspaceId = await newWorkspace(pair, CREDITS);
  const key = await keyWith(workspaceId, { remaining: 30 });
  await spend(key, 19);
  await lookAfter(pair, FIVE_MINUTES);
  expect(await openIn(pair, workspaceId)).toEqual([]);
  await spend(key, 1);
  await lookAfter(pair, FIVE_MINUTES);
  await spend(key, 2);
  await lookAfter(pair, FIVE_MINUTES);
  expect(await openIn(pair, workspaceId)).toEqual([`credits_low ${key.id}`]);
  await spend(key, 8);
  await lookAfter(pair, FIVE_MINUTES);
  await lookAfter(pair, FIVE_MINUTES);
  expect(await openIn(pair, workspaceId)).toEqual([`credits_exhausted ${key.id}`]);
  expect(await alertsOf(pair, workspaceId)).toHaveLength(2);
  await change(key.id, 'add', 11);
  await lookAfter(pair, FIVE_MINUTES);
  expect(await openIn(pair, workspaceId)).toEqual([]);
});

it('credits that run low again after they were added to are another alert', async () => {
  const workspaceId = await newWorkspace(pair, CREDITS);
  const key = await keyWith(workspaceId, { remaining: 12 });
  for (const alerts of [1, 2]) {
    await spend(key, 5);
    await lookAfter(pair, FIVE_MINUTES);
    expect(await openIn(pair, workspaceId)).toEqual([`credits_low ${key.id}`]);
    expect(await alertsOf(pair, workspaceId)).toHaveLength(alerts);
    await change(key.id, 'set', 12);
    await lookAfter(pair, FIVE_MINUTES);
    expect(await openIn(pair, workspaceId)).toEqual([]);
  }
});

it('credits with a refill are low by the last tenth of it, and enough once it is due though nobody has used the key', async () => {
  const workspaceId = await newWorkspace(pair, CREDITS);
  // Two weeks away at least, whatever the day is.
  const dayOfMonth = ((new Date().getUTCDate() + 13) % 28) + 1;
  const refill = { interval: 'monthly', amount: 50, dayOfMonth };
  const key = await keyWith(workspaceId, { remaining: 50, refill });
  await spend(key, 44);
  await lookAfter(pair, FIVE_MINUTES);
  expect(await openIn(pair, workspaceId)).toEqual([]);
  await spend(key, 1);
  await lookAfter(pair, FIVE_MINUTES);
  expect(await openIn(pair, workspaceId)).toEqual([`credits_low ${key.id}`]);
  await lookAfter(pair, 40 * DAY_MS);
  expect(await openIn(pair, workspaceId)).toEqual([]);
});

it('a new key that has few credits or none is not alerted of before somebody uses it', async () => {
  const workspaceId = await newWorkspace(pair, CREDITS);
  const few = await keyWith(workspaceId, { remaining: 5 });
  const none = await keyWith(workspaceId, { remaining: 0 });
  await lookAfter(pair, FIVE_MINUTES);
  expect(await openIn(pair, workspaceId)).toEqual([]);
  expect(await spend(few, 1)).toBe('VALID');
  expect(await spend(none, 1)).toBe('CREDITS_EXHAUSTED');
  await lookAfter(pair, FIVE_MINUTES);
  const expected = [`credits_exhausted ${none.id}`, `credits_low ${few.id}`];
  expect(await openIn(pair, workspaceId)).toEqual(expected);
});

it('a revoked key is not alerted of for its credits, and where the threshold is off none is before they are exhausted', async () => {
  const workspaceId = await newWorkspace(pair, thresholds({}));
  const [revoked, key] = [
    await keyWith(workspaceId, { remaining: 10 }),
    await keyWith(workspaceId, { remaining: 10 }),
  ];
  await spend(revoked, 10);
  await spend(key, 9);
  await pair.first.call('POST', `/v1/keys/${revoked.id}/revoke`);
  await lookAfter(pair, FIVE_MINUTES);
  expect(await openIn(pair, workspaceId)).toEqual([]);
  await spend(key, 1);
  await lookAfter(pair, FIVE_MINUTES);
  expect(await openIn(pair, workspaceId)).toEqual([`credits_exhausted ${key.id}`]);
});
