import { expect, it } from 'vitest';
import { checkEvents } from '../history/check/events.ts';
import type { AuditEntry, Delivery, Received } from '../history/history.ts';

const audit = (sequence: number, action: string): AuditEntry => ({
  ...{ type: 'audit', eventId: `evt_${sequence}`, isOwn: false, workspaceId: 'default', sequence },
  ...{
    time: 0,
    requestId: 'r',
    action,
    targetId: 'key_a',
    creditsBefore: null,
    creditsAfter: null,
  },
});
const queued = (position: number, status: string): Delivery => ({
  ...{ type: 'delivery', eventId: `evt_${position}`, subject: 'key_a', position, status },
});
const received = (number: number, at: number, accepted: boolean): Received => ({
  ...{ type: 'received', eventId: `evt_${number}`, at, accepted },
});
const found = (...entries: Parameters<typeof checkEvents>[0]) =>
  checkEvents(entries).map(({ what }) => what);

it('the history checker finds an entry of the log that no webhook was told of', () => {
  const made = [audit(1, 'key.created'), audit(2, 'webhook.created')];
  expect(found(...made, audit(3, 'key.updated'))).toEqual([
    'key.updated of key_a was never queued',
  ]);
  expect(found(...made, audit(3, 'key.updated'), queued(3, 'pending'))).toEqual([]);
});

it('the history checker finds a delivery that was given up, or that no receiver accepted', () => {
  expect(found(queued(1, 'failed'))).toEqual(['the delivery of evt_1 was given up']);
  expect(found(queued(1, 'delivered'), received(1, 5, false))).toEqual([
    'evt_1 counts as delivered and never was',
  ]);
  expect(found(queued(1, 'delivered'), received(1, 5, false), received(1, 9, true))).toEqual([]);
});

it('the history checker finds an event that was sent before one of the same key was accepted', () => {
  const order = [queued(1, 'pending'), queued(2, 'pending')];
  expect(found(...order, received(1, 5, false), received(2, 6, false))).toEqual([
    'evt_2 was sent before evt_1 was accepted',
  ]);
  expect(found(...order, received(2, 6, true), received(1, 7, true))).toHaveLength(1);
  expect(found(...order, received(1, 5, true), received(2, 6, true), received(1, 8, true))).toEqual(
    [],
  );
});
