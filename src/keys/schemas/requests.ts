import { type Static, Type } from 'typebox';
import { reasonFields, WorkspaceId } from '../../http/schemas.ts';
import { newKeyFields, patchFields } from './fields.ts';

export const CreateKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...newKeyFields },
  {
    'x-name': 'CreateKeyRequest',
    additionalProperties: false,
    examples: [{ name: 'CI deploys', ownerId: 'customer_42', scopes: ['sources:read'] }],
  },
);
export type CreateKey = Static<typeof CreateKey>;

export const PatchKey = Type.Object(patchFields, {
  'x-name': 'UpdateKeyRequest',
  additionalProperties: false,
  examples: [{ name: 'CI deploys', scopes: ['sources:read'] }],
});
export type PatchKey = Static<typeof PatchKey>;

export const RevokeKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...reasonFields },
  {
    'x-name': 'RevokeKeyRequest',
    additionalProperties: false,
    examples: [{ reason: 'leaked', note: 'Found in a public repository.' }],
  },
);
export type RevokeKey = Static<typeof RevokeKey>;
