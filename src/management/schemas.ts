import { type Static, Type } from 'typebox';
import { PERMISSIONS } from '../domain/caller.ts';
import {
  ActorSchema,
  Cursor,
  ExpiresInSeconds,
  instant,
  ListedWorkspaceId,
  line,
  maybeTime,
  NextCursor,
  nullable,
  oneOf,
  open,
  PageLimit,
  Permission,
  RequestsPerSecond,
  RotationGrace,
  reasonFields,
  ref,
  time,
  WorkspaceId,
} from '../http/schemas.ts';

const MANAGEMENT_KEY_ID = '^mk_[0-9A-Za-z]{22}$';

const Permissions = Type.Array(Permission, {
  minItems: 1,
  maxItems: PERMISSIONS.length,
  uniqueItems: true,
  description: 'Permissions of the key; you cannot grant those that you do not have.',
  examples: [['keys:verify']],
});

export const CreateManagementKey = Type.Object(
  {
    name: line(100, 'Management key name, for people.', 'API gateway'),
    permissions: Permissions,
    workspaceId: Type.Optional(
      nullable(WorkspaceId, {
        description:
          "Id of the one workspace that the key is for; null: all. Default: the caller's own, or `default`.",
        examples: ['acme'],
      }),
    ),
    expiresAt: Type.Optional(
      nullable(
        instant(
          'Expiry of the key: it is valid until just before this time, which must be in the future, and ' +
            'not later than that of the management key that creates it. Default: that expiry.',
        ),
      ),
    ),
    expiresInSeconds: Type.Optional(ExpiresInSeconds),
    maxRequestsPerSecond: Type.Optional(
      nullable(RequestsPerSecond, {
        description:
          'Maximum number of calls a second with the key, on each instance of Keyward; each item of ' +
          'a batch or an import counts. Not more than that of the management key that creates it. ' +
          'Default: that maximum.',
        examples: [null],
      }),
    ),
  },
  {
    'x-name': 'CreateManagementKeyRequest',
    additionalProperties: false,
    examples: [{ name: 'API gateway', permissions: ['keys:verify'] }],
  },
);
export type CreateManagementKey = Static<typeof CreateManagementKey>;

export const PatchManagementKey = Type.Object(
  {
    name: Type.Optional(line(100, 'Management key name, for people.', 'API gateway')),
    permissions: Type.Optional(Permissions),
    expiresAt: Type.Optional(
      nullable(
        instant(
          'Expiry of the key, which must be in the future; null: never. Not later than that of the ' +
            'management key that changes it, nor of those that created or rotated it.',
        ),
      ),
    ),
    expiresInSeconds: Type.Optional(ExpiresInSeconds),
    maxRequestsPerSecond: Type.Optional(
      nullable(RequestsPerSecond, {
        description:
          'Maximum number of calls a second with the key, on each instance of Keyward; null: none. ' +
          'Not more than that of the management key that changes it, nor of those that created or ' +
          'rotated it.',
        examples: [null],
      }),
    ),
  },
  {
    'x-name': 'UpdateManagementKeyRequest',
    additionalProperties: false,
    examples: [{ name: 'API gateway' }],
  },
);
export type PatchManagementKey = Static<typeof PatchManagementKey>;

export const RotateManagementKey = Type.Object(RotationGrace.properties, {
  'x-name': 'RotateManagementKeyRequest',
  additionalProperties: false,
  examples: [{ graceSeconds: 86400 }],
});
export type RotateManagementKey = Static<typeof RotateManagementKey>;

export const RevokeManagementKey = Type.Object(
  {
    includeCreated: Type.Optional(
      Type.Boolean({
        description:
          'Whether the management keys that it created or rotated, and those that these did, are ' +
          'revoked with it: the list with `createdBy` shows them. Default: true.',
        examples: [true],
      }),
    ),
    ...reasonFields,
  },
  {
    'x-name': 'RevokeManagementKeyRequest',
    additionalProperties: false,
    examples: [{ reason: 'leaked', note: 'Found in a public repository.' }],
  },
);
export type RevokeManagementKey = Static<typeof RevokeManagementKey>;

const fields = {
  id: Type.String({
    description: 'Management key id, stable over rotations.',
    examples: ['mk_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
  workspaceId: nullable(Type.String(), {
    description: 'Id of the one workspace that the key is for; null: all.',
    examples: ['acme'],
  }),
  name: Type.String({
    description: 'Management key name, for people.',
    examples: ['API gateway'],
  }),
  start: Type.String({ description: 'Start of the key string.', examples: ['kw_4fQ2mX…'] }),
  permissions: Type.Array(open(Permission, {}), {
    description: 'Permissions of the key.',
    examples: [['keys:verify']],
  }),
  status: open(oneOf('ManagementKeyStatus', ['active', 'expired', 'revoked']), {
    description: 'Management key status.',
    examples: ['active'],
  }),
  expiresAt: maybeTime('When the key expires; null: never.'),
  maxRequestsPerSecond: nullable(RequestsPerSecond, {
    description: 'Maximum number of calls a second, on each instance of Keyward; null: none.',
    examples: [null],
  }),
  lastUsedAt: maybeTime(
    'When the key last authenticated a call, up to the last flush of the counters.',
  ),
  retiringUntil: maybeTime('When the string before the last rotation ends; null: it has ended.'),
  createdAt: time('When the key was created, RFC 3339 in UTC.'),
  createdBy: ref(ActorSchema),
  rotatedBy: Type.Array(Type.String(), {
    description:
      'Ids of the other management keys that rotated it, and so were handed its string, since the ' +
      'root key last did without grace. They count as its makers: it ends with each of them.',
    examples: [[]],
  }),
  revokedAt: maybeTime('When the key was revoked; null: it is not.'),
  revokedBy: nullable(ref(ActorSchema), {
    description: 'Who revoked the key; null: it is not revoked.',
    examples: [null],
  }),
};

export const ManagementKey = Type.Object(fields, {
  $id: 'ManagementKey',
  description: 'A management key, which callers authenticate to Keyward with, without its string.',
});
export type ManagementKey = Static<typeof ManagementKey>;

export const IssuedManagementKey = Type.Object(
  {
    ...fields,
    key: nullable(Type.String(), {
      description:
        'Key string. Shown here and never again; null if the call repeats an earlier one with the ' +
        'same Idempotency-Key.',
      examples: ['kw_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq'],
    }),
  },
  {
    $id: 'IssuedManagementKey',
    description: 'A management key, with its string for the only time.',
  },
);
export type IssuedManagementKey = Static<typeof IssuedManagementKey>;

export const RevokedManagementKey = Type.Object(
  {
    ...fields,
    alsoRevoked: Type.Array(Type.String(), {
      description: 'Ids of the management keys that it made and that this call revoked with it.',
      examples: [[]],
    }),
  },
  { $id: 'RevokedManagementKey', description: 'A revoked management key.' },
);
export type RevokedManagementKey = Static<typeof RevokedManagementKey>;

export const ManagementKeyPath = Type.Object({
  id: Type.String({
    pattern: MANAGEMENT_KEY_ID,
    description: 'Management key id.',
    examples: ['mk_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
});

export const ListManagementKeys = Type.Object(
  {
    workspaceId: Type.Optional(ListedWorkspaceId),
    createdBy: Type.Optional(
      Type.String({
        pattern: MANAGEMENT_KEY_ID,
        description:
          'Management key id: lists what it created or rotated, and what those did: what its ' +
          'revocation takes along. In every workspace unless `workspaceId` names one.',
        examples: ['mk_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
      }),
    ),
    limit: PageLimit,
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type ListManagementKeys = Static<typeof ListManagementKeys>;

export const ManagementKeyPage = Type.Object(
  {
    data: Type.Array(ref(ManagementKey), { description: 'Management keys, newest first.' }),
    nextCursor: NextCursor,
  },
  { $id: 'ManagementKeyPage', description: 'One page of management keys.' },
);
export type ManagementKeyPage = Static<typeof ManagementKeyPage>;
