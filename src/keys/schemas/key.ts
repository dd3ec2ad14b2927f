import { type Static, Type } from 'typebox';
import { KEY_STATUSES } from '../../domain/status.ts';
import { ActorSchema, nullable, rateLimitFields, ref } from '../../http/schemas.ts';

const Secret = Type.Object({
  id: Type.String({ description: "The secret's identifier.", examples: ['sec_5Tn8Wq2Lx7'] }),
  start: Type.String({
    description: 'How the key string begins: enough to tell it apart, nothing of the secret.',
    examples: ['ak_live_4fQ2mX…'],
  }),
  status: Type.String({ description: 'Known values: current, retiring.', examples: ['current'] }),
  createdAt: Type.String({
    description: 'When it was issued, RFC 3339 in UTC.',
    examples: ['2026-01-31T12:00:00.000Z'],
  }),
  lastUsedAt: nullable(Type.String(), {
    description: 'When it was last found valid.',
    examples: ['2026-02-01T08:30:00.000Z'],
  }),
  validUntil: nullable(Type.String(), {
    description: 'When a retiring secret ends; null for the current one.',
    examples: [null],
  }),
});

const Usage = Type.Object(
  {
    total: Type.Integer({ description: 'Verifications so far, any verdict.', examples: [1284] }),
    lastUsedAt: nullable(Type.String(), {
      description: 'The last verification that was VALID; null: none yet.',
      examples: ['2026-02-01T08:30:00.000Z'],
    }),
    lastDeniedAt: nullable(Type.String(), {
      description: 'The last one that was not.',
      examples: [null],
    }),
  },
  { description: 'How the key was used, up to the last flush of the counters.' },
);

const time = (description: string) =>
  Type.String({ description, examples: ['2026-01-31T12:00:00.000Z'] });
const maybeTime = (description: string) =>
  nullable(Type.String(), { description, examples: [null] });

const keyFields = {
  id: Type.String({
    description: 'Stable for the life of the key.',
    examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
  workspaceId: Type.String({ description: 'The workspace that owns it.', examples: ['default'] }),
  name: Type.String({ description: 'What people call the key.', examples: ['CI deploys'] }),
  description: nullable(Type.String(), {
    description: 'More about it.',
    examples: ['Used by the nightly deployment job.'],
  }),
  prefix: Type.String({ description: 'The key string begins with it.', examples: ['ak_live'] }),
  start: Type.String({
    description: 'How the current key string begins.',
    examples: ['ak_live_4fQ2mX…'],
  }),
  ownerId: nullable(Type.String(), {
    description: 'Whom the key belongs to in your system.',
    examples: ['customer_42'],
  }),
  status: Type.String({
    description: `Derived from the fields below. Known values: ${KEY_STATUSES.join(', ')}.`,
    examples: ['active'],
  }),
  enabled: Type.Boolean({ description: 'False: switched off for now.', examples: [true] }),
  scopes: Type.Array(Type.String(), {
    description: 'What the key may do.',
    examples: [['sources:read']],
  }),
  resources: nullable(Type.Array(Type.String()), {
    description: 'What the key may touch; null: everything.',
    examples: [['project:alpha']],
  }),
  allowedIps: nullable(Type.Array(Type.String()), {
    description: 'Where the key may be used from; null: everywhere.',
    examples: [['203.0.113.0/24']],
  }),
  notBefore: maybeTime('Not valid before this time; null: at once.'),
  expiresAt: maybeTime('Valid until just before this time; null: for ever.'),
  rateLimits: Type.Array(Type.Object(rateLimitFields), {
    description: 'Its rate limits and how they stand.',
    examples: [[]],
  }),
  credits: nullable(
    Type.Object({
      remaining: Type.Integer({ description: 'Credits left.', examples: [1000] }),
      refill: nullable(
        Type.Object({
          interval: Type.String({
            description: 'Known values: daily, monthly.',
            examples: ['monthly'],
          }),
          amount: Type.Integer({ description: 'What it sets the balance to.', examples: [1000] }),
          dayOfMonth: nullable(Type.Integer(), {
            description: 'The day of a monthly refill; null for a daily one.',
            examples: [1],
          }),
          nextAt: Type.String({
            description: 'When it is due next.',
            examples: ['2026-02-01T00:00:00.000Z'],
          }),
        }),
        { description: 'When the balance is set anew; null: never.' },
      ),
    }),
    { description: 'Its credits; null: not limited.' },
  ),
  metadata: Type.Record(Type.String(), Type.Unknown(), {
    description: 'Anything of yours.',
    examples: [{ plan: 'pro' }],
  }),
  createdAt: time('When it was created, RFC 3339 in UTC.'),
  createdBy: ref(ActorSchema),
  updatedAt: time('When its fields last changed.'),
  revokedAt: maybeTime('When it was revoked; null: it was not.'),
  revokedBy: nullable(ref(ActorSchema), { description: 'Who revoked it.', examples: [null] }),
  revokeReason: nullable(Type.String(), {
    description: 'Why it was revoked.',
    examples: ['leaked'],
  }),
  revokeNote: nullable(Type.String(), {
    description: 'Why it was revoked, for people.',
    examples: ['Found in a public repository.'],
  }),
  secrets: Type.Array(Secret, {
    description: 'The secrets that the key answers to, the current one first.',
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
        'The key string. Shown here and never again: store it now. Null where the call was a ' +
        'repetition of one with the same Idempotency-Key: rotate with `graceSeconds: 0` and ' +
        '`supersede: true` if the first answer was lost.',
      examples: ['ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq'],
    }),
  },
  { $id: 'IssuedKey', description: 'A key, with its string for the only time.' },
);
export type IssuedKey = Static<typeof IssuedKey>;
