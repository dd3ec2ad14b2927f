import { type Static, Type } from 'typebox';
import type { JsonObject } from '../../domain/json.ts';
import { PREFIX_MAX_LENGTH, PREFIX_PATTERN } from '../../domain/key-string.ts';
import { GRANTED_SCOPE_PATTERN, SCOPE_MAX_LENGTH } from '../../domain/scopes.ts';
import { ExpiresInSeconds, instant, line, nullable, text } from '../../http/schemas.ts';
import { NO_DOT_STEP_PATTERN } from '../../http/validation/patterns.ts';
import { MAX_METADATA_NAMES } from '../metadata.ts';
import { clearable, optional, type PlainField, required, variant } from './plain-field.ts';
import { CreditsSetting, RateLimits } from './quota-fields.ts';

export const OwnerId = line(128, 'Owner of the key in your system.', 'customer_42');
/** Clients shorten a path with a step `.` or `..`, so that no call could name such an owner. */
const NewOwnerId = Type.String({ ...OwnerId, pattern: NO_DOT_STEP_PATTERN });

const Scope = Type.String({
  pattern: GRANTED_SCOPE_PATTERN,
  maxLength: SCOPE_MAX_LENGTH,
  description: '1 to 8 segments joined by `:`; a last segment `*` stands for one or more.',
  examples: ['sources:read'],
});

/**
 * The fields that are stored and shown as they are given: the one list for creating, importing,
 * changing, showing and auditing a key. Each is a column of the same name.
 */
export const plainFields = {
  name: required(line(100, 'Key name, for people.', 'CI deploys')),
  description: clearable(
    text(1000, 'Key description, for people.', 'Used by the nightly deployment job.'),
  ),
  ownerId: clearable(NewOwnerId),
  enabled: optional(
    Type.Boolean({
      description: 'Whether the key is enabled; false switches it off until it is true again.',
      examples: [true],
    }),
    true,
  ),
  scopes: optional(
    Type.Array(Scope, {
      maxItems: 100,
      uniqueItems: true,
      description: 'Scopes: what the key may do.',
      examples: [['sources:read', 'members:*']],
    }),
    [],
  ),
  resources: clearable(
    Type.Array(line(256, 'Resource, compared as a whole.', 'project:alpha'), {
      maxItems: 100,
      uniqueItems: true,
      description: 'Resources that the key may touch: null all, an empty list none.',
      examples: [['project:alpha']],
    }),
  ),
  allowedIps: clearable(
    Type.Array(
      Type.String({
        format: 'ip-range',
        maxLength: 49,
        description: 'IPv4 or IPv6 address, or CIDR range.',
        examples: ['203.0.113.0/24'],
      }),
      {
        maxItems: 100,
        uniqueItems: true,
        description: 'Addresses that the key may be used from: null all, an empty list none.',
        examples: [['203.0.113.0/24']],
      },
    ),
  ),
} satisfies Record<string, PlainField>;

type PlainName = keyof typeof plainFields;
export type PlainValues = { [Name in PlainName]: Static<(typeof plainFields)[Name]['answer']> };

/** The plain fields of a row, and nothing else of it. */
export function pickPlain(row: PlainValues): PlainValues;
export function pickPlain(row: Record<string, unknown>): object {
  return Object.fromEntries(Object.keys(plainFields).map((name) => [name, row[name]]));
}

const NotBefore = instant('Start of the key: it is not valid before this time.');
const ExpiresAt = instant(
  'Expiry of the key: it is valid until just before this time, which must be in the future.',
);
const Metadata = Type.Unsafe<JsonObject>({
  type: 'object',
  additionalProperties: true,
  maxProperties: MAX_METADATA_NAMES,
  description:
    'Metadata of your own, returned by verify: at most 8192 bytes of JSON, 8 levels deep.',
  examples: [{ plan: 'pro' }],
});

export const newKeyFields = {
  ...variant(plainFields, 'create'),
  prefix: Type.Optional(
    Type.String({
      pattern: PREFIX_PATTERN,
      maxLength: PREFIX_MAX_LENGTH,
      description:
        'Prefix of the key string. `kw` is reserved. Default: `defaultPrefix` of the workspace.',
      examples: ['ak_live'],
    }),
  ),
  notBefore: Type.Optional(nullable(NotBefore)),
  expiresAt: Type.Optional(nullable(ExpiresAt)),
  expiresInSeconds: Type.Optional(ExpiresInSeconds),
  rateLimits: Type.Optional(RateLimits),
  credits: Type.Optional(CreditsSetting),
  metadata: Type.Optional(Metadata),
};

export const patchFields = {
  ...variant(plainFields, 'patch'),
  notBefore: Type.Optional(nullable(NotBefore)),
  expiresAt: Type.Optional(nullable(ExpiresAt)),
  expiresInSeconds: Type.Optional(ExpiresInSeconds),
  rateLimits: Type.Optional(RateLimits),
  credits: Type.Optional(CreditsSetting),
  metadata: Type.Optional(
    nullable(Metadata, {
      description: 'Metadata changes, merged name by name; a null value removes its name.',
    }),
  ),
};
