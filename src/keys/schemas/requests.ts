import { type Static, Type } from 'typebox';
import { line, text, WorkspaceId } from '../../http/schemas.ts';
import { newKeyFields, patchFields } from './fields.ts';

export const CreateKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...newKeyFields },
  { additionalProperties: false },
);
export type CreateKey = Static<typeof CreateKey>;

export const PatchKey = Type.Object(patchFields, { additionalProperties: false });
export type PatchKey = Static<typeof PatchKey>;

export const revocationFields = {
  reason: Type.Optional(
    line(64, 'Reason of the revocation, a word that programs can filter by.', 'leaked'),
  ),
  note: Type.Optional(
    text(1000, 'Note on the revocation, for people.', 'Found in a public repository.'),
  ),
};

export const RevokeKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...revocationFields },
  { additionalProperties: false },
);
export type RevokeKey = Static<typeof RevokeKey>;
