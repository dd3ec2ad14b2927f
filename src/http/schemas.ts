import { type Static, type TSchema, type TSchemaOptions, Type } from 'typebox';
import {
  PERMISSIONS,
  type Permission as PermissionName,
  WORKSPACE_ID_PATTERN,
} from '../domain/caller.ts';
import { ERRORS, type ErrorCode } from '../errors.ts';

export const nullable = <Schema extends TSchema>(schema: Schema, options: TSchemaOptions = {}) =>
  Type.Union([undocumented(schema), Type.Null()], { ...documentationOf(schema), ...options });

function undocumented<Schema extends TSchema>(schema: Schema) {
  const entries = Object.entries(schema);
  const rest = entries.filter(([name]) => name !== 'description' && name !== 'examples');
  return Type.Unsafe<Static<Schema>>(Object.fromEntries(rest));
}

/** Description and examples move from a schema to the union that contains it. */
function documentationOf(schema: TSchema): TSchemaOptions {
  const { description, examples }: TSchemaOptions = { ...schema };
  return { ...(description ? { description } : {}), ...(examples ? { examples } : {}) };
}

/** A value out of a list. The document shows it under its name, once. */
export const oneOf = <Value extends string>(
  name: string,
  values: readonly Value[],
  options: TSchemaOptions = {},
) => Type.Unsafe<Value>({ type: 'string', enum: [...values], 'x-name': name, ...options });

/** A value of answers: a known one, or one that a later version adds. */
export const open = (known: TSchema, options: TSchemaOptions) =>
  Type.Unsafe<string>({ anyOf: [known, { type: 'string' }], ...options });

/** The same, or null. */
export const openOrNull = (known: TSchema, options: TSchemaOptions) =>
  Type.Unsafe<string | null>({
    anyOf: [known, { type: 'string' }, { type: 'null' }],
    ...options,
  });

/** A time in an answer. */
export const time = (description: string) =>
  Type.String({ format: 'date-time', description, examples: ['2026-01-31T12:00:00.000Z'] });

/** A time in an answer, or null. */
export const maybeTime = (description: string, example: string | null = null) =>
  nullable(Type.String({ format: 'date-time' }), { description, examples: [example] });

/** A time in a request. */
export const instant = (description: string, options: TSchemaOptions = {}) =>
  Type.String({
    format: 'date-time',
    description: `${description} RFC 3339.`,
    examples: ['2030-01-31T12:00:00.000Z'],
    maxLength: 35,
    ...options,
  });

/** Text of several lines that is stored and shown. */
export const text = (maxLength: number, description: string, example: string) =>
  Type.String({ format: 'text', minLength: 1, maxLength, description, examples: [example] });

/** Text of one line that is stored and shown, such as a name. */
export const line = (maxLength: number, description: string, example: string) =>
  Type.String({ format: 'line', minLength: 1, maxLength, description, examples: [example] });

export const REQUEST_ID_PATTERN = '^[A-Za-z0-9._-]{1,64}$';

export const RequestId = Type.String({
  description:
    'Request id, which identifies the call in the log; taken from `X-Request-Id` if that was sent.',
  examples: ['req_4fQ2-1a'],
});

export const FieldErrorSchema = Type.Object(
  {
    pointer: Type.String({
      description:
        'JSON pointer to the field; begins with /body, /query, /path or /headers, in a result of ' +
        'one item at the item.',
      examples: ['/body/name'],
    }),
    detail: Type.String({
      description: 'What is wrong with the field.',
      examples: ['is required'],
    }),
  },
  { 'x-name': 'FieldError', description: 'A field that is not valid.' },
);

export const ProblemSchema = Type.Object(
  {
    type: Type.String({
      description: 'Problem type, always `about:blank`.',
      examples: ['about:blank'],
    }),
    title: Type.String({ description: 'HTTP status in words.', examples: ['Bad Request'] }),
    status: Type.Integer({ description: 'HTTP status code.', examples: [400] }),
    code: open(oneOf('ErrorCode', Object.keys(ERRORS)), {
      description: 'Error code, for programs.',
      examples: ['INVALID_REQUEST'],
    }),
    detail: Type.String({
      description: 'Error message, for people: what is wrong, and how to correct it.',
      examples: ['/body/name: is required'],
    }),
    errors: Type.Array(FieldErrorSchema, {
      description: 'Fields that are not valid; empty if the error is not about fields.',
      examples: [[{ pointer: '/body/name', detail: 'is required' }]],
    }),
    requestId: RequestId,
  },
  { $id: 'Problem', description: 'Error, as defined by RFC 9457.' },
);

export const ActorSchema = Type.Object(
  {
    type: open(oneOf('ActorType', ['root', 'management_key', 'key', 'system']), {
      description: 'Actor type.',
      examples: ['root'],
    }),
    id: Type.String({ description: 'Actor id.', examples: ['root'] }),
    onBehalfOf: nullable(Type.String(), {
      description:
        'Whom the caller says that it acted for (`Keyward-Actor`): asserted, not proven.',
      examples: ['user:42'],
    }),
  },
  { $id: 'Actor', description: 'Who made a change.' },
);

/** A reference to a schema that the app registers under its `$id`; keeps the schema's type. */
export function ref<Schema extends TSchema>(schema: Schema, options: TSchemaOptions = {}) {
  return Type.Unsafe<Static<Schema>>({ $ref: `${idOf(schema)}#`, ...options });
}

function idOf(schema: TSchema): string {
  if ('$id' in schema && typeof schema.$id === 'string') return schema.$id;
  throw new Error('only a schema with an $id can be referenced');
}

/** Where the answers of a call carry the codes of its errors, for the document alone. */
export const ERROR_CODES = Symbol('error codes');

/**
 * The answers of a call, and the errors that it adds to those that follow from what it is
 * (openapi/errors.ts).
 */
export function answers<Own extends Record<number, TSchema>>(own: Own, ...codes: ErrorCode[]): Own {
  return Object.assign(own, { [ERROR_CODES]: codes });
}

/** The other answer of a change, to a caller that lacks the permission to read what it changes. */
export function unshown(permission: PermissionName) {
  return Type.Null({
    description: `The change is made, for a caller without the permission \`${permission}\`.`,
  });
}

export const Cursor = Type.String({
  description: 'Cursor: `nextCursor` of the previous page, with the same filters and sort order.',
  examples: ['eyJhZnRlciI6Ii4uLiJ9'],
  minLength: 1,
  maxLength: 1024,
});

export const NextCursor = nullable(Type.String(), {
  description: 'Cursor of the next page, to be passed as `cursor`; null on the last page.',
  examples: ['eyJhZnRlciI6Ii4uLiJ9'],
});

export const KeyPath = Type.Object({
  id: Type.String({
    pattern: '^key_[0-9A-Za-z]{22}$',
    description: 'Key id.',
    examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
});

export const WorkspaceId = Type.String({
  pattern: WORKSPACE_ID_PATTERN,
  description:
    'Workspace id. A management key that is bound to a workspace implies it; for others the default ' +
    'is `default`, or every workspace when they verify or find.',
  examples: ['default'],
});

/** Of a list: one workspace, or all of them. */
export const ListedWorkspaceId = Type.String({
  pattern: `^(${WORKSPACE_ID_PATTERN.slice(1, -1)}|\\*)$`,
  description:
    'Workspace id, or `*` for every workspace, which a management key that is bound to one may not ' +
    'list. A bound management key implies its own; for others the default is `default`.',
  examples: ['default'],
});

/** The query of calls without a body. */
export const WorkspaceQuery = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId) },
  { additionalProperties: false },
);

/** Why something is ended or suspended; kept in the audit log. */
export const reasonFields = {
  reason: Type.Optional(line(64, 'Reason, a word that programs can filter by.', 'leaked')),
  note: Type.Optional(text(1000, 'Note, for people.', 'Found in a public repository.')),
};

/** The body of a call that takes nothing else. */
export const Reason = Type.Object(reasonFields, {
  'x-name': 'Reason',
  additionalProperties: false,
  examples: [{ reason: 'leaked', note: 'Found in a public repository.' }],
});
export type Reason = Static<typeof Reason>;

export const PageLimit = Type.Integer({
  minimum: 1,
  maximum: 200,
  default: 50,
  description: 'Maximum number of entries on the page.',
  examples: [50],
});

/** Of a management key, or of a workspace. */
export const RequestsPerSecond = Type.Integer({ minimum: 1, maximum: 1_000_000 });

export const ExpiresInSeconds = Type.Integer({
  minimum: 1,
  maximum: 315_360_000,
  description: 'Lifetime in seconds from now, at most ten years; instead of `expiresAt`.',
  examples: [2592000],
});

export const RotationGrace = Type.Object(
  {
    graceSeconds: Type.Integer({
      minimum: 0,
      maximum: 2_592_000,
      description:
        'Grace period in seconds, at most 30 days, in which the replaced string stays valid. With 0 it ends at once.',
      examples: [86400],
    }),
    supersede: Type.Optional(
      Type.Boolean({
        description:
          'Whether to supersede a rotation that is in its grace period: its retiring string ends ' +
          'now, and the current one retires. Default: false, which answers 409.',
        examples: [false],
      }),
    ),
  },
  { additionalProperties: false },
);

export const Permission = oneOf('Permission', PERMISSIONS, {
  description: 'Permission of a management key.',
  examples: ['keys:verify'],
});
