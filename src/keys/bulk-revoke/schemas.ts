import { type Static, Type } from 'typebox';
import { FieldErrorSchema, nullable, reasonFields, WorkspaceId } from '../../http/schemas.ts';
import { OwnerId } from '../schemas/fields.ts';

export const KeyId = Type.String({ pattern: '^key_[0-9A-Za-z]{22}$' });

export const BulkRevoke = Type.Object(
  {
    workspaceId: Type.Optional(WorkspaceId),
    ids: Type.Optional(
      Type.Array(KeyId, {
        minItems: 1,
        maxItems: 1000,
        description:
          'Key ids to revoke. Give either `ids` or `ownerId`. What is no key id is reported in `errors` ' +
          'and keeps no other key valid. Management keys for all workspaces find a key by its ' +
          'id in any; `workspaceId` narrows.',
        examples: [['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd']],
      }),
    ),
    ownerId: Type.Optional(OwnerId),
    dryRun: Type.Optional(
      Type.Boolean({
        description: 'Whether to report only what would be revoked. Default: false.',
        examples: [true],
      }),
    ),
    ...reasonFields,
  },
  {
    'x-name': 'BulkRevokeRequest',
    additionalProperties: false,
    examples: [{ ownerId: 'customer_42', dryRun: true }],
  },
);
export type BulkRevoke = Static<typeof BulkRevoke>;

export const BulkRevocation = Type.Object(
  {
    dryRun: Type.Boolean({ description: 'Whether nothing was changed.', examples: [false] }),
    matched: Type.Integer({ description: 'Number of keys that match the filter.', examples: [3] }),
    alreadyRevoked: Type.Integer({
      description: 'Number of matching keys that were revoked before.',
      examples: [1],
    }),
    revoked: Type.Integer({
      description: 'Number of keys that this call revoked; 0 on a dry run.',
      examples: [2],
    }),
    keyIds: Type.Array(Type.String(), {
      description:
        'Ids of the keys that this call revoked; empty on a dry run, and if a caller without ' +
        '`keys:read` named an owner.',
      examples: [['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd']],
    }),
    wouldRevoke: nullable(Type.Integer(), {
      description: 'Number of keys that the call would revoke; null if it was no dry run.',
      examples: [null],
    }),
    wouldRevokeIds: nullable(Type.Array(Type.String()), {
      description: 'Ids of the keys that the call would revoke; null if it was no dry run.',
      examples: [null],
    }),
    missingIds: Type.Array(Type.String(), {
      description: 'Requested ids of which there is no key, or none that the caller may see.',
      examples: [[]],
    }),
    errors: Type.Array(FieldErrorSchema, {
      description: 'Items of `ids` that are no key ids, with pointers such as `/ids/0`.',
      examples: [[]],
    }),
  },
  { $id: 'BulkRevocation', description: 'Result of a bulk revocation.' },
);
export type BulkRevocation = Static<typeof BulkRevocation>;
