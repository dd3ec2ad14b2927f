import { type Static, Type } from 'typebox';
import { RotationGrace, WorkspaceId } from '../../http/schemas.ts';

export const RotateKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...RotationGrace.properties },
  { 'x-name': 'RotateKeyRequest', additionalProperties: false },
);
export type RotateKey = Static<typeof RotateKey>;
