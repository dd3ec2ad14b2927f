import { type Static, Type } from 'typebox';
import { AUDIT_ACTIONS } from '../audit/actions.ts';
import {
  ActorSchema,
  Cursor,
  ListedWorkspaceId,
  line,
  maybeTime,
  NextCursor,
  nullable,
  oneOf,
  open,
  openOrNull,
  PageLimit,
  RotationGrace,
  ref,
  time,
  WorkspaceId,
} from '../http/schemas.ts';
import { MAX_URL_LENGTH } from './target-url.ts';

const URL_EXAMPLE = 'https://example.com/hooks/keyward';

const EventType = oneOf('EventType', AUDIT_ACTIONS);
const WEBHOOK_DISABLED_REASONS = ['gone', 'failing', 'creator_revoked'] as const;
const Format = oneOf('WebhookFormat', ['event', 'cloudevents'], {
  description: 'Format of the bodies: `event`, or CloudEvents 1.0 as JSON. Default: `event`.',
  examples: ['event'],
});

const settings = {
  url: Type.String({
    pattern: '^[Hh][Tt]{2}[Pp][Ss]?://\\S+$',
    maxLength: MAX_URL_LENGTH,
    description:
      'Where events are sent: an `https` URL without credentials, of a public host. Other hosts, and ' +
      '`http`, are for the networks of `KEYWARD_WEBHOOK_NETWORKS` alone.',
    examples: [URL_EXAMPLE],
  }),
  description: Type.Optional(nullable(line(200, 'Webhook description, for people.', 'Chat'))),
  eventTypes: Type.Optional(
    nullable(
      Type.Array(EventType, { minItems: 1, maxItems: AUDIT_ACTIONS.length, uniqueItems: true }),
      {
        description: 'Types of the events that are sent; null: all, also those of later versions.',
        examples: [['key.revoked', 'alert.key_expiring']],
      },
    ),
  ),
  format: Type.Optional(Format),
  enabled: Type.Optional(
    Type.Boolean({
      description:
        'Whether events are queued and sent. What was queued waits while it is disabled. Default: true.',
      examples: [true],
    }),
  ),
};

export const CreateWebhook = Type.Object(
  {
    workspaceId: Type.Optional(
      nullable(WorkspaceId, {
        description:
          "Id of the one workspace whose events are sent; null: all. Default: the caller's own, or `default`.",
        examples: ['acme'],
      }),
    ),
    ...settings,
  },
  {
    'x-name': 'CreateWebhookRequest',
    additionalProperties: false,
    examples: [{ url: URL_EXAMPLE }],
  },
);
export type CreateWebhook = Static<typeof CreateWebhook>;

export const PatchWebhook = Type.Partial(Type.Object(settings), {
  'x-name': 'UpdateWebhookRequest',
  additionalProperties: false,
  examples: [{ enabled: false }],
});
export type PatchWebhook = Static<typeof PatchWebhook>;

export const RotateSigningSecret = Type.Object(
  {
    graceSeconds: {
      ...RotationGrace.properties.graceSeconds,
      description:
        'Grace period in seconds, at most 30 days, in which both secrets sign. With 0 only the new one does.',
    },
    supersede: Type.Optional(
      Type.Boolean({
        description:
          'Whether to supersede a rotation that is in its grace period: the secret before it signs no ' +
          'longer. Default: false, which answers 409.',
        examples: [false],
      }),
    ),
  },
  {
    'x-name': 'RotateSigningSecretRequest',
    additionalProperties: false,
    examples: [{ graceSeconds: 86400 }],
  },
);
export type RotateSigningSecret = Static<typeof RotateSigningSecret>;

const fields = {
  id: Type.String({ description: 'Webhook id.', examples: ['wh_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'] }),
  workspaceId: nullable(Type.String(), {
    description: 'Id of the one workspace whose events are sent; null: all.',
    examples: ['acme'],
  }),
  url: Type.String({ description: 'Where events are sent.', examples: [URL_EXAMPLE] }),
  description: nullable(Type.String(), {
    description: 'Webhook description, for people.',
    examples: ['Chat'],
  }),
  eventTypes: nullable(Type.Array(open(EventType, {})), {
    description: 'Types of the events that are sent; null: all.',
    examples: [null],
  }),
  format: open(Format, { description: 'Format of the bodies.', examples: ['event'] }),
  enabled: Type.Boolean({ description: 'Whether events are queued and sent.', examples: [true] }),
  disabledReason: openOrNull(oneOf('WebhookDisabledReason', WEBHOOK_DISABLED_REASONS), {
    description:
      'Why Keyward disabled it: the receiver answered 410, or nothing but failures for five days, or ' +
      'the management key was revoked that created it, or last enabled it or sent it elsewhere. Null: it ' +
      'did not.',
    examples: [null],
  }),
  failingSince: maybeTime('When the first attempt since the last success failed; null: none has.'),
  lastDeliveredAt: maybeTime('When the receiver last accepted an event; null: never.'),
  previousSecretUntil: maybeTime(
    'Until when the secret before the last rotation signs too; null: it does not.',
  ),
  createdAt: time('When the webhook was created, RFC 3339 in UTC.'),
  createdBy: ref(ActorSchema),
};

export const Webhook = Type.Object(fields, {
  $id: 'Webhook',
  description: 'Where events are sent, without the signing secret.',
});
export type Webhook = Static<typeof Webhook>;

export const IssuedWebhook = Type.Object(
  {
    ...fields,
    signingSecret: nullable(Type.String(), {
      description:
        'Signing secret of Standard Webhooks. Shown here and never again; null if the call repeats an ' +
        'earlier one with the same Idempotency-Key.',
      examples: ['whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'],
    }),
  },
  { $id: 'IssuedWebhook', description: 'A webhook, with its signing secret for the only time.' },
);
export type IssuedWebhook = Static<typeof IssuedWebhook>;

export const WebhookPath = Type.Object({
  id: Type.String({
    pattern: '^wh_[0-9A-Za-z]{22}$',
    description: 'Webhook id.',
    examples: ['wh_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
});

export const ListWebhooks = Type.Object(
  {
    workspaceId: Type.Optional(ListedWorkspaceId),
    limit: PageLimit,
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type ListWebhooks = Static<typeof ListWebhooks>;

export const WebhookPage = Type.Object(
  {
    data: Type.Array(ref(Webhook), { description: 'Webhooks, newest first.' }),
    nextCursor: NextCursor,
  },
  { $id: 'WebhookPage', description: 'One page of webhooks.' },
);
export type WebhookPage = Static<typeof WebhookPage>;
