import { type Static, Type } from 'typebox';
import { PERMISSIONS } from '../domain/caller.ts';
import {
  ActorSchema,
  Cursor,
  ExpiresInSeconds,
  instant,
  NextCursor,
  nullable,
  PageLimit,
  RotationGrace,
  ref,
  text,
  WorkspaceId,
} from '../http/schemas.ts';

const Permissions = Type.Array(
  Type.Unsafe<(typeof PERMISSIONS)[number]>({
    type: 'string',
    enum: [...PERMISSIONS],
    description: 'One permission.',
    examples: ['keys:verify'],
  }),
  {
    minItems: 1,
    maxItems: PERMISSIONS.length,
    uniqueItems: true,
    description: `What the key may do; nobody grants more than they hold. Known values: ${PERMISSIONS.join(', ')}.`,
    examples: [['keys:verify']],
  },
);

export const CreateManagementKey = Type.Object(
  {
    name: text(100, 'What people call it.', 'API gateway'),
    permissions: Permissions,
    workspaceId: Type.Optional(
      nullable(WorkspaceId, {
        description: "The one workspace it works in; null: all of them. Default: the caller's own.",
        examples: ['acme'],
      }),
    ),
    expiresAt: Type.Optional(instant('Valid until just before this time; must lie ahead.')),
    expiresInSeconds: Type.Optional(ExpiresInSeconds),
  },
  { additionalProperties: false },
);
export type CreateManagementKey = Static<typeof CreateManagementKey>;

export const RotateManagementKey = RotationGrace;
export type RotateManagementKey = Static<typeof RotateManagementKey>;

const maybeTime = (description: string) =>
  nullable(Type.String(), { description, examples: ['2026-02-01T08:30:00.000Z'] });
const time = (description: string) =>
  Type.String({ description, examples: ['2026-01-31T12:00:00.000Z'] });

const fields = {
  id: Type.String({
    description: 'Stable over rotations.',
    examples: ['mk_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
  workspaceId: nullable(Type.String(), {
    description: 'The one workspace it works in; null: all of them.',
    examples: ['acme'],
  }),
  name: Type.String({ description: 'What people call it.', examples: ['API gateway'] }),
  start: Type.String({ description: 'How its string begins.', examples: ['kw_4fQ2mX…'] }),
  permissions: Type.Array(Type.String(), {
    description: 'What it may do.',
    examples: [['keys:verify']],
  }),
  status: Type.String({
    description: 'Known values: active, expired, revoked.',
    examples: ['active'],
  }),
  expiresAt: maybeTime('When it expires; null: never.'),
  lastUsedAt: maybeTime('When it last authenticated a call, up to the last flush.'),
  retiringUntil: maybeTime('Until when the string before the last rotation is valid; null: none.'),
  createdAt: time('When it was created, RFC 3339 in UTC.'),
  createdBy: ref(ActorSchema),
  revokedAt: maybeTime('When it was revoked; null: it was not.'),
  revokedBy: nullable(ref(ActorSchema), { description: 'Who revoked it.', examples: [null] }),
};

export const ManagementKey = Type.Object(fields, {
  $id: 'ManagementKey',
  description: 'What a caller authenticates to Keyward with, without its string.',
});
export type ManagementKey = Static<typeof ManagementKey>;

export const IssuedManagementKey = Type.Object(
  {
    ...fields,
    key: nullable(Type.String(), {
      description:
        'Its string. Shown here and never again; null where the call was a repetition of one ' +
        'with the same Idempotency-Key.',
      examples: ['kw_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq'],
    }),
  },
  {
    $id: 'IssuedManagementKey',
    description: 'A management key, with its string for the only time.',
  },
);
export type IssuedManagementKey = Static<typeof IssuedManagementKey>;

export const ManagementKeyPath = Type.Object({
  id: Type.String({
    pattern: '^mk_[0-9A-Za-z]{22}$',
    description: "The management key's identifier.",
    examples: ['mk_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
});

export const ListManagementKeys = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), limit: PageLimit, cursor: Type.Optional(Cursor) },
  { additionalProperties: false },
);
export type ListManagementKeys = Static<typeof ListManagementKeys>;

export const ManagementKeyPage = Type.Object(
  {
    data: Type.Array(ref(ManagementKey), { description: 'The management keys, newest first.' }),
    nextCursor: NextCursor,
  },
  { $id: 'ManagementKeyPage', description: 'One page of management keys.' },
);
export type ManagementKeyPage = Static<typeof ManagementKeyPage>;
