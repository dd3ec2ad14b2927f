import { type TSchema, Type } from 'typebox';
import { maybeTime, nullable } from '../http/schemas.ts';
import { Key } from '../keys/schemas/key.ts';
import { ManagementKey } from '../management/schemas.ts';
import { Webhook } from '../webhooks/schemas.ts';
import { Workspace } from '../workspaces/schemas.ts';

/** What an event says of a change: the fields that changed, by the names that answers have for them. */
const changed = (name: string, of: string, fields: Record<string, TSchema>) =>
  Type.Partial(Type.Object(fields), {
    'x-name': name,
    description: `Changed fields of ${of}; those that did not change are left out.`,
  });

// Verifications change balances and windows, which are no changes of a key.
const { usage, secrets, status, start, credits, rateLimits, ...keyFields } = Key.properties;
const RateLimit = Type.Object(
  {
    name: Type.String({ description: 'Rate limit name.', examples: ['per-minute'] }),
    limit: Type.Integer({ description: 'Units in any interval of the window.', examples: [100] }),
    windowSeconds: Type.Integer({ description: 'Window length.', examples: [60] }),
  },
  { 'x-name': 'ChangedRateLimit' },
);

export const KeyChange = changed('KeyChange', 'a key', {
  ...keyFields,
  rateLimits: Type.Array(RateLimit, { description: 'Rate limits of the key.' }),
  retiringUntil: maybeTime('When the string before the last rotation ends.'),
  reason: nullable(Type.String(), { description: 'Reason of it.', examples: ['leaked'] }),
  creditsLimited: Type.Boolean({ description: 'Whether the key has credits.', examples: [true] }),
  refill: nullable(
    Type.Record(Type.String(), Type.Unknown(), {
      description: 'Refill of the credits; null: none.',
      examples: [null],
    }),
  ),
});

const reason = {
  reason: nullable(Type.String(), { description: 'Reason, for programs.', examples: ['leaked'] }),
  note: nullable(Type.String(), { description: 'Note, for people.', examples: [null] }),
};

export const WorkspaceChange = changed('WorkspaceChange', 'a workspace', {
  ...Workspace.properties,
  ...reason,
});

export const ManagementKeyChange = changed('ManagementKeyChange', 'a management key', {
  ...ManagementKey.properties,
  ...reason,
  revokedWith: Type.String({
    description: 'Id of the management key that it was revoked with.',
    examples: ['mk_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
});

export const WebhookChange = changed('WebhookChange', 'a webhook', {
  ...Webhook.properties,
  url: Type.String({
    description: 'Where events are sent, without its path.',
    examples: ['https://example.com/…'],
  }),
});

export const ChainLink = Type.Object(
  {
    sequence: Type.Integer({ description: 'Position in the log.', examples: [17] }),
    hash: Type.String({
      description: 'Hash of the entry at that position.',
      examples: ['9f86d081'],
    }),
  },
  { 'x-name': 'AuditChainLink' },
);

const alertId = Type.String({
  description: 'Alert id.',
  examples: ['alert_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
});

export const AlertOpened = Type.Object(
  {
    alertId,
    details: Type.Record(Type.String(), Type.Unknown(), {
      description: 'Figures and times of what it is about.',
      examples: [{ expiresAt: '2026-01-31T12:00:00.000Z' }],
    }),
  },
  { 'x-name': 'AlertOpened' },
);

const alertType = Type.String({ description: 'Alert type.', examples: ['key_expiring'] });

export const AlertAcknowledged = Type.Object(
  {
    alertId,
    type: alertType,
    note: Type.Optional(
      Type.String({
        description: 'Note of the acknowledgement, if it has one.',
        examples: ['The integration moves to a new key on Monday.'],
      }),
    ),
  },
  { 'x-name': 'AlertAcknowledged' },
);

export const AlertEnded = Type.Object({ alertId, type: alertType }, { 'x-name': 'AlertEnded' });
