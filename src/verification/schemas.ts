import { type Static, Type } from 'typebox';
import { VERDICT_CODES } from '../domain/verdict.ts';
import {
  FieldErrorSchema,
  maybeTime,
  nullable,
  oneOf,
  open,
  RequestId,
  ref,
  WorkspaceId,
} from '../http/schemas.ts';
import {
  Cost,
  rateLimitFields,
  VerdictCode,
  verificationFields,
} from '../http/verification-schemas.ts';

export const VERIFY_PATH = '/v1/verify';
export const VERIFY_BODY_LIMIT_BYTES = 32_768;

export const VerifyRequest = Type.Object(
  {
    key: Type.String({
      description:
        'The key as it was presented, without an authorization scheme. Whatever cannot be a key is ' +
        'NOT_FOUND, not an error; only `Bearer` before it is refused, as KEY_WITH_SCHEME.',
      examples: ['ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq'],
    }),
    workspaceId: Type.Optional(WorkspaceId),
    ...verificationFields,
    userAgent: Type.Optional(
      Type.String({
        maxLength: 512,
        description:
          'User agent of the client, as it was sent. Only its family is kept, with the last use of the key.',
        examples: ['curl/8.5.0'],
      }),
    ),
    cost: Type.Optional(Cost),
  },
  {
    'x-name': 'VerifyRequest',
    additionalProperties: false,
    examples: [
      {
        key: 'ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq',
        requiredScopes: ['sources:read'],
      },
    ],
  },
);
export type VerifyRequest = Static<typeof VerifyRequest>;

const BatchResultCode = oneOf('BatchResultCode', [
  ...VERDICT_CODES,
  'INVALID_REQUEST',
  'KEY_WITH_SCHEME',
  'UNAVAILABLE',
]);

export const VerifyAnswer = Type.Object(
  {
    valid: Type.Boolean({
      description: 'Whether the request may go on. True with the code `VALID` alone.',
      examples: [true],
    }),
    code: open(VerdictCode, {
      description: 'The verdict; treat one you do not know as not valid.',
      examples: ['VALID'],
    }),
    keyId: nullable(Type.String(), {
      description: "The key's stable identifier. Null, as all below, after NOT_FOUND.",
      examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
    }),
    workspaceId: nullable(Type.String(), {
      description: 'The workspace that owns the key.',
      examples: ['default'],
    }),
    name: nullable(Type.String(), { description: "The key's name.", examples: ['CI deploys'] }),
    ownerId: nullable(Type.String(), {
      description: 'Whom the key belongs to in your system.',
      examples: ['customer_42'],
    }),
    scopes: nullable(Type.Array(Type.String()), {
      description:
        'The scopes that the key has, wildcards as they were given; where its workspace has ' +
        '`availableScopes`, they cover these alone.',
      examples: [['sources:read']],
    }),
    resources: nullable(Type.Array(Type.String()), {
      description: 'What the key may touch; null: everything.',
      examples: [['project:alpha']],
    }),
    metadata: nullable(Type.Record(Type.String(), Type.Unknown()), {
      description: "The key's metadata, as stored.",
      examples: [{ plan: 'pro' }],
    }),
    expiresAt: maybeTime(
      'When the key expires, RFC 3339 in UTC; null: never.',
      '2030-01-31T12:00:00.000Z',
    ),
    rotation: nullable(
      Type.Object(
        {
          retiring: Type.Boolean({
            description:
              'Whether the presented string is being replaced: its holder should switch.',
            examples: [false],
          }),
          validUntil: maybeTime('Until when a retiring string is valid.'),
        },
        { 'x-name': 'VerifyRotation' },
      ),
      { description: 'How the presented string stands in a rotation of its key.' },
    ),
    missingScopes: nullable(Type.Array(Type.String()), {
      description: 'The required scopes that it lacks; empty unless that is the verdict.',
      examples: [[]],
    }),
    credits: nullable(
      Type.Object(
        {
          remaining: Type.Integer({ description: 'Credits left after this one.', examples: [99] }),
        },
        { 'x-name': 'VerifyCredits' },
      ),
      { description: 'Null where they are not limited, or the verdict did not get that far.' },
    ),
    rateLimits: nullable(
      Type.Array(
        Type.Object(
          {
            ...rateLimitFields,
            exceeded: Type.Boolean({
              description: 'Whether this limit is why the verdict is RATE_LIMITED.',
              examples: [false],
            }),
          },
          { 'x-name': 'VerifyRateLimit' },
        ),
      ),
      {
        description: 'How the limits stand. Null where the key has none, or it did not get so far.',
        examples: [null],
      },
    ),
    stale: Type.Boolean({
      description:
        'True: the database is unavailable, and this is what was last known of the key. Only with ' +
        '`KEYWARD_STALE_IF_ERROR_MS` set.',
      examples: [false],
    }),
    requestId: RequestId,
  },
  { $id: 'VerifyAnswer', description: 'A verdict on a presented key.' },
);
export type VerifyAnswer = Static<typeof VerifyAnswer>;

export const VerifyBatch = Type.Object(
  {
    requests: Type.Array(VerifyRequest, {
      minItems: 1,
      maxItems: 100,
      description: 'The verifications.',
      examples: [
        [{ key: 'ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq' }],
      ],
    }),
  },
  {
    'x-name': 'VerifyBatchRequest',
    additionalProperties: false,
    examples: [
      {
        requests: [
          { key: 'ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq' },
        ],
      },
    ],
  },
);

export type VerifyBatch = Static<typeof VerifyBatch>;

export const VerifyBatchResult = Type.Object(
  {
    ...VerifyAnswer.properties,
    code: open(BatchResultCode, {
      description:
        'The verdict, or why there is none; treat one you do not know as not valid. UNAVAILABLE: ' +
        'ask again.',
      examples: ['VALID'],
    }),
    errors: Type.Array(FieldErrorSchema, {
      description:
        'What is wrong with the item, its pointers beginning at the item; empty if it has a verdict.',
      examples: [[]],
    }),
  },
  { $id: 'VerifyBatchResult', description: 'The result of one item of a batch.' },
);

export const VerifyAnswers = Type.Object(
  { results: Type.Array(ref(VerifyBatchResult), { description: 'The results, in order.' }) },
  { $id: 'VerifyAnswers', description: 'Verdicts on presented keys.' },
);
