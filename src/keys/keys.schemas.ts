import { type Static, Type } from 'typebox';
import type { JsonObject } from '../domain/json.ts';
import { PREFIX_MAX_LENGTH, PREFIX_PATTERN } from '../domain/key-string.ts';
import { GRANTED_SCOPE_PATTERN, SCOPE_MAX_LENGTH } from '../domain/scopes.ts';
import { KEY_STATUSES } from '../domain/status.ts';
import {
  ActorSchema,
  Cost,
  Cursor,
  ExpiresInSeconds,
  instant,
  NextCursor,
  nullable,
  PageLimit,
  Question,
  RotationGrace,
  rateLimitFields,
  ref,
  text,
  WorkspaceId,
} from '../http/schemas.ts';

const Name = text(100, 'What people call the key.', 'CI deploys');
const Description = text(1000, 'More about it.', 'Used by the nightly deployment job.');
const OwnerId = text(128, 'Whom the key belongs to in your system.', 'customer_42');
const Enabled = Type.Boolean({
  description: 'False switches the key off until it is true again. Default: true.',
  examples: [true],
});
const Scopes = Type.Array(
  Type.String({
    pattern: GRANTED_SCOPE_PATTERN,
    maxLength: SCOPE_MAX_LENGTH,
    description: '1 to 8 segments joined by `:`; a last segment `*` stands for one or more.',
    examples: ['sources:read'],
  }),
  {
    maxItems: 100,
    uniqueItems: true,
    description: 'What the key may do. Default: nothing in particular.',
    examples: [['sources:read', 'members:*']],
  },
);
const Resources = Type.Array(text(256, 'One resource, compared as a whole.', 'project:alpha'), {
  maxItems: 100,
  uniqueItems: true,
  description: 'What the key may touch: null everything, an empty list nothing. Default: null.',
  examples: [['project:alpha']],
});
const AllowedIps = Type.Array(
  Type.String({
    format: 'ip-range',
    maxLength: 49,
    description: 'An IPv4 or IPv6 address, or a CIDR range.',
    examples: ['203.0.113.0/24'],
  }),
  {
    maxItems: 100,
    uniqueItems: true,
    description: 'Where the key may be used from: null everywhere, an empty list nowhere.',
    examples: [['203.0.113.0/24']],
  },
);
const NotBefore = instant('The key is not valid before this time.');
const ExpiresAt = instant('The key is valid until just before this time; must lie ahead.');
const Metadata = Type.Unsafe<JsonObject>({
  type: 'object',
  additionalProperties: true,
  maxProperties: 64,
  description: 'Anything of yours, returned by verify: at most 8192 bytes of JSON, 8 levels deep.',
  examples: [{ plan: 'pro' }],
});

const RateLimits = Type.Array(
  Type.Object(
    {
      name: Type.String({
        pattern: '^[a-z][a-z0-9_-]{0,31}$',
        description: 'Its name, unique within the key.',
        examples: ['per-minute'],
      }),
      limit: Type.Integer({
        minimum: 0,
        maximum: 1_000_000_000,
        description: 'Units in any interval of the length; 0 lets nothing through.',
        examples: [100],
      }),
      windowSeconds: Type.Integer({
        minimum: 1,
        maximum: 2_592_000,
        description: 'The length, 1 second to 30 days.',
        examples: [60],
      }),
    },
    { additionalProperties: false },
  ),
  {
    maxItems: 5,
    description: 'Up to 5; a verification must fit into all of them. Default: none.',
    examples: [[{ name: 'per-minute', limit: 100, windowSeconds: 60 }]],
  },
);
const Refill = Type.Object(
  {
    interval: Type.Unsafe<'daily' | 'monthly'>({
      type: 'string',
      enum: ['daily', 'monthly'],
      description: 'At 00:00 UTC each day, or once a month.',
      examples: ['monthly'],
    }),
    amount: Type.Integer({
      minimum: 0,
      maximum: 1_000_000_000_000,
      description: 'What the balance is set to.',
      examples: [1000],
    }),
    dayOfMonth: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 31,
        description: 'For `monthly`: the day; the last of a shorter month. Default: 1.',
        examples: [1],
      }),
    ),
  },
  { additionalProperties: false },
);
const Credits = Type.Object(
  {
    remaining: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1_000_000_000_000,
        description:
          'The balance. Needed where it is not limited yet; when left out in a change, it stays.',
        examples: [1000],
      }),
    ),
    refill: Type.Optional(
      nullable(Refill, {
        description: 'When the balance is set anew; null or left out: never.',
        examples: [{ interval: 'monthly', amount: 1000, dayOfMonth: 1 }],
      }),
    ),
  },
  { additionalProperties: false },
);
export type Credits = Static<typeof Credits>;
const CreditsSetting = nullable(Credits, {
  description: 'How many verifications are left. Null: not limited. Default: null.',
  examples: [{ remaining: 1000 }],
});

const newKeyFields = {
  name: Name,
  description: Type.Optional(Description),
  prefix: Type.Optional(
    Type.String({
      pattern: PREFIX_PATTERN,
      maxLength: PREFIX_MAX_LENGTH,
      description:
        "The key string begins with it. Default: the workspace's `defaultPrefix`. `kw` is taken.",
      examples: ['ak_live'],
    }),
  ),
  ownerId: Type.Optional(OwnerId),
  scopes: Type.Optional(Scopes),
  resources: Type.Optional(Resources),
  allowedIps: Type.Optional(AllowedIps),
  notBefore: Type.Optional(NotBefore),
  expiresAt: Type.Optional(ExpiresAt),
  expiresInSeconds: Type.Optional(ExpiresInSeconds),
  rateLimits: Type.Optional(RateLimits),
  credits: Type.Optional(CreditsSetting),
  metadata: Type.Optional(Metadata),
  enabled: Type.Optional(Enabled),
};

export const CreateKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...newKeyFields },
  { additionalProperties: false },
);
export type CreateKey = Static<typeof CreateKey>;

const ImportItem = Type.Object(
  {
    ...newKeyFields,
    hash: Type.Object(
      {
        algorithm: Type.Unsafe<'sha256' | 'sha512'>({
          type: 'string',
          enum: ['sha256', 'sha512'],
          description: 'How it was made.',
          examples: ['sha256'],
        }),
        value: Type.String({
          minLength: 43,
          maxLength: 128,
          description: 'Over the whole key string as its holder presents it; hex or base64.',
          examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
        }),
      },
      { additionalProperties: false, description: 'The digest that the other system kept.' },
    ),
    start: Type.Optional(
      text(
        24,
        'How the key string begins, for lists; never more than a few characters.',
        'sk_ab12',
      ),
    ),
  },
  { additionalProperties: false },
);
export type ImportItem = Static<typeof ImportItem>;

export const ImportKeys = Type.Object(
  {
    workspaceId: Type.Optional(WorkspaceId),
    keys: Type.Array(ImportItem, {
      minItems: 1,
      maxItems: 1000,
      description: 'The keys to take over.',
    }),
  },
  { additionalProperties: false },
);
export type ImportKeys = Static<typeof ImportKeys>;

const ImportResult = Type.Object({
  index: Type.Integer({ description: 'Its place in `keys`, from 0.', examples: [0] }),
  status: Type.String({
    description: 'Known values: created, duplicate (its digest is known already), invalid.',
    examples: ['created'],
  }),
  keyId: nullable(Type.String(), {
    description: 'The new key; null where none was made.',
    examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
  errors: Type.Array(
    Type.Object({
      pointer: Type.String({
        description: 'JSON pointer within the item.',
        examples: ['/expiresAt'],
      }),
      detail: Type.String({
        description: 'What is wrong with it.',
        examples: ['must lie in the future'],
      }),
    }),
    { description: 'Why it is invalid; else empty.', examples: [[]] },
  ),
});
export type ImportResult = Static<typeof ImportResult>;

export const ImportReport = Type.Object(
  {
    created: Type.Integer({ description: 'Keys made.', examples: [998] }),
    duplicates: Type.Integer({ description: 'Digests that were known already.', examples: [1] }),
    invalid: Type.Integer({ description: 'Items refused.', examples: [1] }),
    results: Type.Array(ImportResult, { description: 'What became of each item, in order.' }),
  },
  { $id: 'ImportReport', description: 'What an import did.' },
);
export type ImportReport = Static<typeof ImportReport>;

export const PatchKey = Type.Object(
  {
    name: Type.Optional(Name),
    description: Type.Optional(nullable(Description)),
    ownerId: Type.Optional(nullable(OwnerId)),
    scopes: Type.Optional(Scopes),
    resources: Type.Optional(nullable(Resources)),
    allowedIps: Type.Optional(nullable(AllowedIps)),
    notBefore: Type.Optional(nullable(NotBefore)),
    expiresAt: Type.Optional(nullable(ExpiresAt)),
    expiresInSeconds: Type.Optional(ExpiresInSeconds),
    rateLimits: Type.Optional(RateLimits),
    credits: Type.Optional(CreditsSetting),
    metadata: Type.Optional(
      nullable(Metadata, { description: 'Merged name by name; a null value removes its name.' }),
    ),
    enabled: Type.Optional(Enabled),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type PatchKey = Static<typeof PatchKey>;

const revocation = {
  reason: Type.Optional(text(64, 'Why, in a word that you can filter by.', 'leaked')),
  note: Type.Optional(text(1000, 'Why, for people.', 'Found in a public repository.')),
};

export const RevokeKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...revocation },
  { additionalProperties: false },
);
export type RevokeKey = Static<typeof RevokeKey>;

export const ChangeCredits = Type.Object(
  {
    workspaceId: Type.Optional(WorkspaceId),
    operation: Type.Unsafe<'add' | 'subtract' | 'set'>({
      type: 'string',
      enum: ['add', 'subtract', 'set'],
      description: 'What to do with the balance; `subtract` stops at 0.',
      examples: ['add'],
    }),
    amount: Type.Integer({
      minimum: 0,
      maximum: 1_000_000_000_000,
      description: 'How many credits.',
      examples: [500],
    }),
  },
  { additionalProperties: false },
);
export type ChangeCredits = Static<typeof ChangeCredits>;

export const RotateKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...RotationGrace.properties },
  { additionalProperties: false },
);
export type RotateKey = Static<typeof RotateKey>;

export const BulkRevoke = Type.Object(
  {
    workspaceId: Type.Optional(WorkspaceId),
    ids: Type.Optional(
      Type.Array(Type.String({ pattern: '^key_[0-9A-Za-z]{22}$' }), {
        minItems: 1,
        maxItems: 1000,
        uniqueItems: true,
        description: 'These keys. Give either `ids` or `ownerId`.',
        examples: [['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd']],
      }),
    ),
    ownerId: Type.Optional(OwnerId),
    dryRun: Type.Optional(
      Type.Boolean({
        description: 'Only say what would be revoked. Default: false.',
        examples: [true],
      }),
    ),
    ...revocation,
  },
  { additionalProperties: false },
);
export type BulkRevoke = Static<typeof BulkRevoke>;

export const BulkRevocation = Type.Object(
  {
    dryRun: Type.Boolean({ description: 'Whether nothing was changed.', examples: [false] }),
    matched: Type.Integer({ description: 'Keys that the filter names.', examples: [3] }),
    alreadyRevoked: Type.Integer({ description: 'Those revoked before.', examples: [1] }),
    revoked: Type.Integer({
      description: 'Those revoked by this call, or that would be.',
      examples: [2],
    }),
    keyIds: Type.Array(Type.String(), {
      description: 'Their identifiers.',
      examples: [['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd']],
    }),
    missingIds: Type.Array(Type.String(), {
      description: 'Identifiers in `ids` of which the workspace has no key.',
      examples: [[]],
    }),
  },
  { $id: 'BulkRevocation', description: 'What a bulk revocation did.' },
);
export type BulkRevocation = Static<typeof BulkRevocation>;

export const ExplainKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...Question, cost: Type.Optional(Cost) },
  { additionalProperties: false },
);
export type ExplainKey = Static<typeof ExplainKey>;

export const Explanation = Type.Object(
  {
    valid: Type.Boolean({ description: 'Whether every check passes.', examples: [false] }),
    code: Type.String({
      description: 'The verdict: the first check that fails.',
      examples: ['EXPIRED'],
    }),
    checks: Type.Array(
      Type.Object({
        code: Type.String({
          description: 'The verdict that this check stands for.',
          examples: ['EXPIRED'],
        }),
        passed: Type.Boolean({ description: 'Whether it passes.', examples: [false] }),
      }),
      { description: 'Every check in its order, also after the first that fails.' },
    ),
  },
  { $id: 'Explanation', description: 'Why a key is valid or not.' },
);
export type Explanation = Static<typeof Explanation>;

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

const at = (description: string) => Type.Optional(instant(description));

export const ListKeys = Type.Object(
  {
    workspaceId: Type.Optional(WorkspaceId),
    status: Type.Optional(
      Type.Array(
        Type.Unsafe<(typeof KEY_STATUSES)[number]>({ type: 'string', enum: [...KEY_STATUSES] }),
        {
          maxItems: KEY_STATUSES.length,
          description: 'Only keys with one of these statuses. Default: all.',
          examples: [['active', 'scheduled']],
        },
      ),
    ),
    search: Type.Optional(text(100, 'Part of the name, in any case.', 'deploy')),
    start: Type.Optional(
      text(48, 'How the key string begins, as lists show it.', 'ak_live_4fQ2mX…'),
    ),
    ownerId: Type.Optional(OwnerId),
    scope: Type.Optional(
      Type.String({
        pattern: GRANTED_SCOPE_PATTERN,
        maxLength: SCOPE_MAX_LENGTH,
        description: 'Keys that were given exactly this scope.',
        examples: ['sources:read'],
      }),
    ),
    prefix: Type.Optional(
      Type.String({
        pattern: PREFIX_PATTERN,
        maxLength: PREFIX_MAX_LENGTH,
        description: 'Keys with this prefix.',
        examples: ['ak_live'],
      }),
    ),
    createdAfter: at('Created at or after this time.'),
    createdBefore: at('Created before this time.'),
    expiresAfter: at('Expires at or after this time.'),
    expiresBefore: at('Expires before this time.'),
    lastUsedAfter: at('Last found valid at or after this time.'),
    lastUsedBefore: at('Last found valid before this time.'),
    neverUsed: Type.Optional(
      Type.Boolean({ description: 'True: never found valid so far.', examples: [true] }),
    ),
    sort: Type.Unsafe<'-createdAt' | 'name' | 'expiresAt'>({
      type: 'string',
      enum: ['-createdAt', 'name', 'expiresAt'],
      default: '-createdAt',
      description: 'Newest first, by name in any case, or the next to expire first.',
      examples: ['-createdAt'],
    }),
    limit: PageLimit,
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type ListKeys = Static<typeof ListKeys>;

export const KeyPage = Type.Object(
  {
    data: Type.Array(ref(Key), { description: 'The keys, in the order of `sort`.' }),
    nextCursor: NextCursor,
  },
  { $id: 'KeyPage', description: 'One page of keys.' },
);
export type KeyPage = Static<typeof KeyPage>;
