import { type Static, Type } from 'typebox';
import { AUDIT_ACTIONS } from '../../audit/actions.ts';
import {
  Cursor,
  instant,
  maybeTime,
  NextCursor,
  nullable,
  oneOf,
  open,
  PageLimit,
  ref,
  time,
} from '../../http/schemas.ts';

/** The test event, which is in no audit log. */
export const PING = 'webhook.ping';

const TYPES = [...AUDIT_ACTIONS, PING] as const;
const STATUSES = ['pending', 'delivered', 'failed'] as const;
const ID_EXAMPLE = '0198c5b2-8f0e-4d3a-9a51-7c2f6f3d9e10';

const Attempt = Type.Object(
  {
    at: time('When the attempt was made.'),
    status: nullable(Type.Integer(), {
      description: 'HTTP status of the answer; null: there was none.',
      examples: [503],
    }),
    durationMs: Type.Integer({
      description: 'Milliseconds until the answer or the failure.',
      examples: [84],
    }),
    error: nullable(Type.String(), {
      description: 'Why the attempt failed; null: the receiver accepted the event.',
      examples: ['status_not_2xx'],
    }),
  },
  { 'x-name': 'DeliveryAttempt', description: 'One attempt to send an event.' },
);
export type DeliveryAttempt = Static<typeof Attempt>;

export const Delivery = Type.Object(
  {
    id: Type.String({ description: 'Delivery id.', examples: [ID_EXAMPLE] }),
    webhookId: Type.String({ description: 'Webhook id.', examples: ['wh_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'] }),
    eventId: Type.String({
      description:
        'Event id, which is sent as `webhook-id`: the same for every delivery of an event.',
      examples: ['evt_2Lx7Yb2kQm4Xc9'],
    }),
    eventType: open(oneOf('DeliveredEventType', TYPES), {
      description: 'Event type.',
      examples: ['key.revoked'],
    }),
    workspaceId: nullable(Type.String(), {
      description: 'Id of the workspace whose audit log has the event; null: a test event.',
      examples: ['acme'],
    }),
    status: open(oneOf('DeliveryStatus', STATUSES), {
      description:
        'Delivery status: `pending` until the receiver accepts it or no attempt is left.',
      examples: ['delivered'],
    }),
    createdAt: time('When the event was queued, RFC 3339 in UTC.'),
    nextAttemptAt: maybeTime('When the next attempt is due; null: none is.'),
    finishedAt: maybeTime(
      'When the receiver accepted the event, or the last attempt failed; null: it is pending.',
      '2026-01-31T12:00:00.000Z',
    ),
    attempts: Type.Array(Attempt, { description: 'Attempts, the oldest first; at most ten.' }),
  },
  { $id: 'Delivery', description: 'An event on its way to a webhook, or the record of it.' },
);
export type Delivery = Static<typeof Delivery>;

export const ListDeliveries = Type.Object(
  {
    status: Type.Optional(
      Type.Unsafe<(typeof STATUSES)[number]>({
        type: 'string',
        enum: [...STATUSES],
        description: 'Status to list.',
        examples: ['failed'],
      }),
    ),
    eventType: Type.Optional(
      Type.Unsafe<(typeof TYPES)[number]>({
        type: 'string',
        enum: [...TYPES],
        description: 'Event type to list.',
        examples: ['key.revoked'],
      }),
    ),
    limit: PageLimit,
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type ListDeliveries = Static<typeof ListDeliveries>;

export const DeliveryPage = Type.Object(
  {
    data: Type.Array(ref(Delivery), { description: 'Deliveries, newest first.' }),
    nextCursor: NextCursor,
  },
  { $id: 'DeliveryPage', description: 'One page of deliveries.' },
);
export type DeliveryPage = Static<typeof DeliveryPage>;

export const Redeliver = Type.Object(
  {
    deliveryId: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
        description: 'Id of the delivery whose event is sent again. Give either this or `after`.',
        examples: [ID_EXAMPLE],
      }),
    ),
    after: Type.Optional(
      instant('Earliest time of the events that are sent again, from the audit log.', {
        examples: ['2026-01-31T12:00:00.000Z'],
      }),
    ),
    before: Type.Optional(instant('Time that the events were before. Default: now.')),
  },
  {
    'x-name': 'RedeliverRequest',
    additionalProperties: false,
    examples: [{ after: '2026-01-31T12:00:00.000Z' }],
  },
);
export type Redeliver = Static<typeof Redeliver>;

export const Redelivery = Type.Object(
  {
    queued: Type.Integer({
      description:
        'Number of events that were queued; those that waited already are not among them.',
      examples: [1],
    }),
  },
  { $id: 'Redelivery', description: 'Result of a redelivery.' },
);
export type Redelivery = Static<typeof Redelivery>;
