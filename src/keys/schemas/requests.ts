import { type Static, Type } from 'typebox';
import { reasonFields, WorkspaceId } from '../../http/schemas.ts';
import { newKeyFields, patchFields } from './fields.ts';

export const CreateKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...newKeyFields },
  { additionalProperties: false },
);
export type CreateKey = Static<typeof CreateKey>;

export const PatchKey = Type.Object(patchFields, { additionalProperties: false });
export type PatchKey = Static<typeof PatchKey>;

export const RevokeKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...reasonFields },
  { additionalProperties: false },
);
export type RevokeKey = Static<typeof RevokeKey>;
