import { type Static, type TSchema, type TSchemaOptions, Type } from 'typebox';
import { REQUIRED_SCOPE_PATTERN, SCOPE_MAX_LENGTH } from '../domain/scopes.ts';
import { ERRORS } from '../errors.ts';

/** Shapes that more than one feature speaks of. */

export const nullable = <Schema extends TSchema>(schema: Schema, options: TSchemaOptions = {}) =>
  Type.Union([schema, Type.Null()], { ...documentationOf(schema), ...options });

/** A schema's documentation moves up to what is made of it. */
function documentationOf(schema: TSchema): TSchemaOptions {
  const { description, examples }: TSchemaOptions = { ...schema };
  return { ...(description ? { description } : {}), ...(examples ? { examples } : {}) };
}

export const instant = (description: string, options: TSchemaOptions = {}) =>
  Type.String({
    format: 'instant',
    description: `${description} RFC 3339.`,
    examples: ['2030-01-31T12:00:00.000Z'],
    maxLength: 35,
    ...options,
  });

/** Text of people: stored, shown, and refused where it is blank or holds control characters. */
export const text = (maxLength: number, description: string, example: string) =>
  Type.String({ format: 'text', minLength: 1, maxLength, description, examples: [example] });

export const REQUEST_ID_PATTERN = '^[A-Za-z0-9._-]{1,64}$';

export const RequestId = Type.String({
  description: 'Identifies this call in the log; taken from `X-Request-Id` where that was sent.',
  examples: ['req_4fQ2-1a'],
});

export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'Always `about:blank`.', examples: ['about:blank'] }),
    title: Type.String({ description: 'The HTTP status in words.', examples: ['Bad Request'] }),
    status: Type.Integer({ description: 'The HTTP status.', examples: [400] }),
    code: Type.String({
      description: `What went wrong, for programs. Known values: ${Object.keys(ERRORS).join(', ')}.`,
      examples: ['INVALID_REQUEST'],
    }),
    detail: Type.String({
      description: 'What went wrong and how to mend it, for people.',
      examples: ['/body/name: is required'],
    }),
    errors: Type.Array(
      Type.Object({
        pointer: Type.String({
          description: 'JSON pointer to the field, with /body, /query, /path or /headers in front.',
          examples: ['/body/name'],
        }),
        detail: Type.String({ description: 'What is wrong with it.', examples: ['is required'] }),
      }),
      {
        description: 'The fields at fault; empty where none is.',
        examples: [[{ pointer: '/body/name', detail: 'is required' }]],
      },
    ),
    requestId: RequestId,
  },
  { $id: 'Problem', description: 'An error, as RFC 9457 describes.' },
);

export const ActorSchema = Type.Object(
  {
    type: Type.String({
      description: 'What the actor is. Known values: root, management_key, key, system.',
      examples: ['root'],
    }),
    id: Type.String({ description: 'Its identifier.', examples: ['root'] }),
    onBehalfOf: nullable(Type.String(), {
      description: 'Whom the caller says it acted for (`Keyward-Actor`): asserted, not proven.',
      examples: ['user:42'],
    }),
  },
  { $id: 'Actor', description: 'Who did it.' },
);

/** A reference to a schema that the app has registered under its `$id`, with its type. */
export function ref<Schema extends TSchema>(schema: Schema, options: TSchemaOptions = {}) {
  return Type.Unsafe<Static<Schema>>({ $ref: `${idOf(schema)}#`, ...options });
}

function idOf(schema: TSchema): string {
  if ('$id' in schema && typeof schema.$id === 'string') return schema.$id;
  throw new Error('only a schema with an $id can be referred to');
}

/** The answers of a call: its own, and the errors that it shares with all others. */
export function answers<Own extends Record<number, TSchema>>(own: Own, ...statuses: number[]) {
  const problem = {
    description: 'An error, as RFC 9457 describes.',
    content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
  };
  const errors = [400, 401, 403, ...statuses, 503].map((status) => [status, problem]);
  return { ...own, ...Object.fromEntries(errors) } as Own;
}

export const Cursor = Type.String({
  description: '`nextCursor` of the page before; belongs to the same filters and sort.',
  examples: ['eyJhZnRlciI6Ii4uLiJ9'],
  minLength: 1,
  maxLength: 1024,
});

export const NextCursor = nullable(Type.String(), {
  description: 'Pass it as `cursor` for the next page; null on the last.',
  examples: ['eyJhZnRlciI6Ii4uLiJ9'],
});

export const KeyPath = Type.Object({
  id: Type.String({
    pattern: '^key_[0-9A-Za-z]{22}$',
    description: "The key's identifier.",
    examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
});

export const WorkspaceId = Type.String({
  pattern: '^[A-Za-z0-9._-]{1,64}$',
  description:
    'The workspace meant. A management key of one workspace implies it; without it the others ' +
    'mean `default`, or every workspace when they verify.',
  examples: ['default'],
});

/** For calls without a body. */
export const WorkspaceQuery = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId) },
  { additionalProperties: false },
);

export const PageLimit = Type.Integer({
  minimum: 1,
  maximum: 200,
  default: 50,
  description: 'Entries on a page.',
  examples: [50],
});

export const ExpiresInSeconds = Type.Integer({
  minimum: 1,
  maximum: 315_360_000,
  description: 'Instead of `expiresAt`: seconds from now, at most ten years.',
  examples: [2592000],
});

export const RotationGrace = Type.Object(
  {
    graceSeconds: Type.Integer({
      minimum: 0,
      maximum: 2_592_000,
      description: 'Seconds that the replaced string stays valid: 0 (ends at once) to 30 days.',
      examples: [86400],
    }),
    supersede: Type.Optional(
      Type.Boolean({
        description:
          'While another rotation is in its grace: end its retiring string now and retire the ' +
          'current one. Default: false, which answers 409.',
        examples: [false],
      }),
    ),
  },
  { additionalProperties: false },
);

const RequiredScopes = (description: string) =>
  Type.Array(
    Type.String({
      pattern: REQUIRED_SCOPE_PATTERN,
      maxLength: SCOPE_MAX_LENGTH,
      description: 'A scope without wildcard.',
      examples: ['sources:read'],
    }),
    { minItems: 1, maxItems: 50, uniqueItems: true, description, examples: [['sources:read']] },
  );

/** What a verification asks about a key. */
export const Question = {
  requiredScopes: Type.Optional(RequiredScopes('The key must have all of these scopes.')),
  requiredAnyScope: Type.Optional(
    RequiredScopes('The key must have at least one of these scopes.'),
  ),
  resource: Type.Optional(
    text(256, 'What is to be touched; checked where the key lists resources.', 'project:alpha'),
  ),
  ip: Type.Optional(
    Type.String({
      format: 'ip-address',
      maxLength: 45,
      description:
        "The client's address. Without it, a key that is bound to addresses is not valid.",
      examples: ['203.0.113.7'],
    }),
  ),
};

/** How a rate limit is shown. */
export const rateLimitFields = {
  name: Type.String({ description: 'Its name.', examples: ['per-minute'] }),
  limit: Type.Integer({ description: 'Units in any window.', examples: [100] }),
  windowSeconds: Type.Integer({ description: "The window's length.", examples: [60] }),
  remaining: Type.Integer({ description: 'Units left now.', examples: [99] }),
  resetAt: nullable(Type.String(), {
    description: 'When the oldest spent units come back; null: none is spent.',
    examples: ['2026-01-31T12:01:00.000Z'],
  }),
};

export const Cost = Type.Integer({
  minimum: 0,
  maximum: 1_000_000,
  description:
    "What the verification takes of the key's limits and credits. 0 looks without spending. " +
    'Default: 1.',
  examples: [1],
});
