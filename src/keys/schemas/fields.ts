import { type Static, Type } from 'typebox';
import type { JsonObject } from '../../domain/json.ts';
import { PREFIX_MAX_LENGTH, PREFIX_PATTERN } from '../../domain/key-string.ts';
import { GRANTED_SCOPE_PATTERN, SCOPE_MAX_LENGTH } from '../../domain/scopes.ts';
import { ExpiresInSeconds, instant, nullable, text } from '../../http/schemas.ts';

export const Name = text(100, 'What people call the key.', 'CI deploys');
export const Description = text(1000, 'More about it.', 'Used by the nightly deployment job.');
export const OwnerId = text(128, 'Whom the key belongs to in your system.', 'customer_42');
export const Enabled = Type.Boolean({
  description: 'False switches the key off until it is true again. Default: true.',
  examples: [true],
});
export const Scopes = Type.Array(
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
export const Resources = Type.Array(
  text(256, 'One resource, compared as a whole.', 'project:alpha'),
  {
    maxItems: 100,
    uniqueItems: true,
    description: 'What the key may touch: null everything, an empty list nothing. Default: null.',
    examples: [['project:alpha']],
  },
);
export const AllowedIps = Type.Array(
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
export const NotBefore = instant('The key is not valid before this time.');
export const ExpiresAt = instant('The key is valid until just before this time; must lie ahead.');
export const Metadata = Type.Unsafe<JsonObject>({
  type: 'object',
  additionalProperties: true,
  maxProperties: 64,
  description: 'Anything of yours, returned by verify: at most 8192 bytes of JSON, 8 levels deep.',
  examples: [{ plan: 'pro' }],
});

export const RateLimits = Type.Array(
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
export const CreditsSetting = nullable(Credits, {
  description: 'How many verifications are left. Null: not limited. Default: null.',
  examples: [{ remaining: 1000 }],
});

export const newKeyFields = {
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
