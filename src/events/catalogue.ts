import { type TSchema, type TSchemaOptions, Type } from 'typebox';
import type { AuditAction, AuditTargetType } from '../audit/actions.ts';
import { maybeTime, nullable, time } from '../http/schemas.ts';
import {
  AlertAcknowledged,
  AlertEnded,
  AlertOpened,
  ChainLink,
  KeyChange,
  ManagementKeyChange,
  WebhookChange,
  WorkspaceChange,
} from './changes.ts';

/** Fields are only added to a version. What would break a receiver is an event type of another name. */
export const EVENTS_VERSION = 1;

export interface EventType {
  description: string;
  targetType: AuditTargetType | readonly AuditTargetType[];
  /** The changed fields as they were; without it, always null. */
  before?: TSchema;
  /** The changed fields as they are since. */
  after: TSchema;
}

const count = (description: string) => Type.Integer({ minimum: 0, description, examples: [3] });
const seconds = (description: string) =>
  Type.Number({ minimum: 0, description, examples: [86400] });

/** What an event says that is no change of fields, with the examples of its parts. */
function fields(properties: Record<string, TSchema>): TSchema {
  const example = Object.entries(properties).map(([name, schema]) => [name, exampleOf(schema)]);
  const examples = [Object.fromEntries(example)];
  return Type.Object(properties, { description: 'What happened.', examples });
}

function exampleOf(schema: TSchema): unknown {
  const { examples }: TSchemaOptions = { ...schema };
  return Array.isArray(examples) ? examples[0] : undefined;
}

const Credits = fields({
  credits: Type.Integer({ description: 'Balance of the credits.', examples: [1000] }),
});

const Deletion = fields({
  deletedAt: maybeTime('When the webhook was deleted; null: it was not.'),
});

const alert = (description: string, targetType: EventType['targetType'] = 'key'): EventType => ({
  description,
  targetType,
  after: AlertOpened,
});

const key = (description: string, before?: TSchema): EventType => ({
  description,
  targetType: 'key',
  ...(before && { before }),
  after: KeyChange,
});

const workspace = (description: string, before?: TSchema): EventType => ({
  description,
  targetType: 'workspace',
  ...(before && { before }),
  after: WorkspaceChange,
});

/** Every event: the same names as in the audit log, which events are. */
export const EVENTS: Record<AuditAction, EventType> = {
  'key.created': key('A key was created.'),
  'key.imported': key('A key was imported.'),
  'key.updated': key('Fields of a key changed.', KeyChange),
  'key.revoked': key('A key was revoked, for good.', KeyChange),
  'key.deleted': key('A key was deleted.', KeyChange),
  'key.rotated': {
    description: 'A key has a new string; the one before ends with the grace.',
    targetType: 'key',
    after: fields({
      graceSeconds: seconds('How long the string before stays valid, in seconds.'),
      start: Type.String({
        description: 'Start of the new string.',
        examples: ['ak_live_4fQ2mX…'],
      }),
    }),
  },
  'key.grace_ended': {
    description: 'The strings of a key before its current one were ended before their time.',
    targetType: 'key',
    after: fields({
      endedSecretIds: Type.Array(Type.String(), {
        description: 'Ids of their secrets.',
        examples: [['sec_5Tn8Wq2Lx7']],
      }),
    }),
  },
  'key.credits_changed': {
    description: 'The credits of a key were set or added to.',
    targetType: 'key',
    before: nullable(Credits, { description: 'What was before; null: not known.' }),
    after: Credits,
  },
  'owner.personal_data_erased': {
    description: 'The record of where the keys of an owner were last used was erased.',
    targetType: 'owner',
    after: fields({ keys: count('How many keys it was erased of.') }),
  },
  'workspace.created': workspace('A workspace was created.'),
  'workspace.updated': workspace('Fields of a workspace changed.', WorkspaceChange),
  'workspace.suspended': workspace('A workspace was suspended.', WorkspaceChange),
  'workspace.resumed': workspace('A workspace was resumed.', WorkspaceChange),
  'workspace.deleted': {
    description: 'A workspace was deleted, and its keys with it.',
    targetType: 'workspace',
    after: fields({ keysEnded: count('How many keys ended with it at once.') }),
  },
  'management_key.created': {
    description: 'A management key was created.',
    targetType: 'management_key',
    after: ManagementKeyChange,
  },
  'management_key.updated': {
    description: 'Fields of a management key changed.',
    targetType: 'management_key',
    before: ManagementKeyChange,
    after: ManagementKeyChange,
  },
  'management_key.rotated': {
    description: 'A management key has a new string.',
    targetType: 'management_key',
    after: fields({
      graceSeconds: seconds('How long the string before stays valid, in seconds.'),
    }),
  },
  'management_key.revoked': {
    description: 'A management key was revoked, for good.',
    targetType: 'management_key',
    before: ManagementKeyChange,
    after: ManagementKeyChange,
  },
  'webhook.created': {
    description: 'A webhook was created.',
    targetType: 'webhook',
    after: WebhookChange,
  },
  'webhook.updated': {
    description: 'Fields of a webhook changed.',
    targetType: 'webhook',
    before: WebhookChange,
    after: WebhookChange,
  },
  'webhook.secret_rotated': {
    description: 'A webhook has a new signing secret.',
    targetType: 'webhook',
    after: fields({
      graceSeconds: seconds('How long the secret before signs too, in seconds.'),
    }),
  },
  'webhook.disabled': {
    description:
      'A webhook was disabled: its receiver said so or failed for five days, or its maker ended.',
    targetType: 'webhook',
    before: WebhookChange,
    after: WebhookChange,
  },
  'webhook.pinged': {
    description: 'Somebody asked for a test event, which is sent as `webhook.ping`.',
    targetType: 'webhook',
    after: fields({
      eventId: Type.String({
        description: 'Event id of the test event.',
        examples: ['evt_2Lx7Yb2kQm4Xc9'],
      }),
    }),
  },
  'webhook.redelivered': {
    description: 'Somebody had events delivered again.',
    targetType: 'webhook',
    after: fields({ queued: count('How many events were queued.') }),
  },
  'webhook.deleted': {
    description: 'A webhook was deleted.',
    targetType: 'webhook',
    before: Deletion,
    after: Deletion,
  },
  'alert.key_expiring': alert('A key expires soon.'),
  'alert.key_expired': alert('A key that was in use has expired.'),
  'alert.management_key_expiring': alert('A management key expires soon.', 'management_key'),
  'alert.management_key_expired': alert('A management key has expired.', 'management_key'),
  'alert.rotation_due': alert('A key has had the same string for too long.'),
  'alert.key_unused': alert('A key has not been used for a long time.'),
  'alert.ended_string_used': alert('A string of a key that has ended is still presented.'),
  'alert.usage_unusual': alert('A key was used far more in an hour than ever before.'),
  'alert.limited_often': alert('A key met its rate limit in many hours of a day.'),
  'alert.credits_low': alert('A key has few credits left.'),
  'alert.credits_exhausted': alert('A key has no credits left.'),
  'alert.wrong_keys': alert('Many strings that match no key were tried.', 'workspace'),
  'alert.key_leaked': alert('The string of a key was found where it does not belong.', [
    'key',
    'management_key',
  ]),
  'alert.webhook_disabled': alert('A webhook was disabled.', 'webhook'),
  'alert.acknowledged': {
    description: 'Somebody acknowledged an alert.',
    targetType: ['key', 'management_key', 'workspace', 'webhook'],
    after: AlertAcknowledged,
  },
  'alert.ended': {
    description: 'What an alert was about is over.',
    targetType: ['key', 'management_key', 'workspace', 'webhook'],
    after: AlertEnded,
  },
  'audit.pruned': {
    description: 'Old entries of the audit log were dropped, on the record.',
    targetType: 'workspace',
    before: nullable(ChainLink, { description: 'What was before; null: nothing.' }),
    after: fields({
      before: time('Time that the dropped entries were before.'),
      dropped: count('How many entries were dropped.'),
      sequence: count('Position of the last dropped entry.'),
      hash: Type.String({ description: 'Hash of the last dropped entry.', examples: ['9f86d081'] }),
    }),
  },
  'audit.break': {
    description: 'The audit log did not end where its head said, and was continued.',
    targetType: 'workspace',
    before: ChainLink,
    after: ChainLink,
  },
  'audit.repaired': {
    description: 'The head of the audit log was put right by a command.',
    targetType: 'workspace',
    before: nullable(ChainLink, { description: 'What was before; null: nothing.' }),
    after: ChainLink,
  },
};
