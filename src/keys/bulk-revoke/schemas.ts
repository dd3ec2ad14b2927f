import { type Static, Type } from 'typebox';
import { WorkspaceId } from '../../http/schemas.ts';
import { OwnerId } from '../schemas/fields.ts';
import { revocation } from '../schemas/requests.ts';

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
