import { type Static, Type } from 'typebox';
import { USER_AGENT_FAMILIES } from '../../domain/client-context.ts';
import { KEY_STATUSES } from '../../domain/status.ts';
import { ActorSchema, maybeTime, nullable, oneOf, open, ref, time } from '../../http/schemas.ts';
import { plainFields } from './fields.ts';
import { variant } from './plain-field.ts';
import { quotaAnswer } from './quota-fields.ts';

export const KeyStatus = oneOf('KeyStatus', KEY_STATUSES);
const SecretStatus = oneOf('SecretStatus', ['current', 'retiring']);

const UserAgentFamily = oneOf('UserAgentFamily', USER_AGENT_FAMILIES);

/** Of a key or of one of its strings. */
export const LastUsedFrom = nullable(
  Type.Object(
    {
      ip: nullable(Type.String(), {
        description: 'Network of the client, by default without the last part; null: not known.',
        examples: ['203.0.113.0/24'],
      }),
      userAgent: nullable(open(UserAgentFamily, {}), {
        description: 'Family of the user agent of the client; null: not known.',
        examples: ['curl'],
      }),
    },
    { 'x-name': 'LastUsedFrom' },
  ),
  {
    description:
      'Where the last use came from, as callers of verify said; null: none did, or it was erased.',
    examples: [{ ip: '203.0.113.0/24', userAgent: 'curl' }],
  },
);

const secretFields = {
  id: Type.String({ description: 'Secret id.', examples: ['sec_5Tn8Wq2Lx7'] }),
  start: Type.String({
    description: 'Start of the key string: it identifies the secret and reveals nothing of it.',
    examples: ['ak_live_4fQ2mX…'],
  }),
  status: open(SecretStatus, { description: 'Secret status.', examples: ['current'] }),
  createdAt: time('When the secret was issued, RFC 3339 in UTC.'),
  lastUsedAt: maybeTime(
    'When the secret was last found valid; null: never.',
    '2026-02-01T08:30:00.000Z',
  ),
  lastUsedFrom: LastUsedFrom,
  validUntil: maybeTime('When a retiring secret ends; null for the current one.'),
};

const Secret = Type.Object(secretFields, {
  'x-name': 'KeySecret',
  description: 'A secret of a key: it belongs to one key string.',
});

const Usage = Type.Object(
  {
    total: Type.Integer({ description: 'Verifications so far, any verdict.', examples: [1284] }),
    lastUsedAt: maybeTime(
      'When a verification was last VALID; null: never.',
      '2026-02-01T08:30:00.000Z',
    ),
    lastDeniedAt: maybeTime('When a verification was last denied; null: never.'),
    lastUsedFrom: LastUsedFrom,
  },
  {
    'x-name': 'KeyUsageSummary',
    description: 'Usage of the key, up to the last flush of the counters.',
  },
);

const keyFields = {
  id: Type.String({
    description: 'Key id, stable for the life of the key.',
    examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
  workspaceId: Type.String({
    description: 'Id of the workspace that owns the key.',
    examples: ['default'],
  }),
  ...variant(plainFields, 'answer'),
  prefix: Type.String({ description: 'Prefix of the key string.', examples: ['ak_live'] }),
  start: Type.String({
    description: 'Start of the current key string.',
    examples: ['ak_live_4fQ2mX…'],
  }),
  status: open(KeyStatus, {
    description: 'Key status, derived from the other fields.',
    examples: ['active'],
  }),
  notBefore: maybeTime('Start of the key: it is not valid before this time; null: none.'),
  expiresAt: maybeTime('Expiry of the key: it is valid until just before this time; null: none.'),
  ...quotaAnswer,
  metadata: Type.Record(Type.String(), Type.Unknown(), {
    description: 'Metadata of your own.',
    examples: [{ plan: 'pro' }],
  }),
  createdAt: time('When the key was created, RFC 3339 in UTC.'),
  createdBy: ref(ActorSchema),
  updatedAt: time('When the key last changed.'),
  revokedAt: maybeTime('When the key was revoked; null: it is not.'),
  revokedBy: nullable(ref(ActorSchema), {
    description: 'Who revoked the key; null: it is not revoked.',
    examples: [null],
  }),
  revokeReason: nullable(Type.String(), {
    description: 'Reason of the revocation, for programs.',
    examples: ['leaked'],
  }),
  revokeNote: nullable(Type.String(), {
    description: 'Note on the revocation, for people.',
    examples: ['Found in a public repository.'],
  }),
  secrets: Type.Array(Secret, {
    description: 'Secrets of the key that are valid, the current one first.',
  }),
  usage: Usage,
};

export const Key = Type.Object(keyFields, {
  $id: 'Key',
  description: 'A key, without its string.',
});
export type Key = Static<typeof Key>;

export const IssuedKey = Type.Object(
  {
    ...keyFields,
    key: nullable(Type.String(), {
      description:
        'Key string. Shown here and never again: store it now. Null if the call repeats an earlier ' +
        'one with the same Idempotency-Key: rotate with `graceSeconds: 0` and `supersede: true` if ' +
        'the first answer was lost.',
      examples: ['ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq'],
    }),
  },
  { $id: 'IssuedKey', description: 'A key, with its string for the only time.' },
);
export type IssuedKey = Static<typeof IssuedKey>;
