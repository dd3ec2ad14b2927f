import { type Static, Type } from 'typebox';
import { RotationGrace, WorkspaceId } from '../../http/schemas.ts';

export const RotateKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...RotationGrace.properties },
  {
    'x-name': 'RotateKeyRequest',
    additionalProperties: false,
    examples: [{ graceSeconds: 86400 }],
  },
);
export type RotateKey = Static<typeof RotateKey>;
