import { type Static, Type } from 'typebox';
import { reasonFields, WorkspaceId } from '../../http/schemas.ts';
import { newKeyFields, patchFields } from './fields.ts';

export const CreateKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...newKeyFields },
  { 'x-name': 'CreateKeyRequest', additionalProperties: false },
);
export type CreateKey = Static<typeof CreateKey>;

export const PatchKey = Type.Object(patchFields, {
  'x-name': 'UpdateKeyRequest',
  additionalProperties: false,
});
export type PatchKey = Static<typeof PatchKey>;

export const RevokeKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...reasonFields },
  { 'x-name': 'RevokeKeyRequest', additionalProperties: false },
);
export type RevokeKey = Static<typeof RevokeKey>;
