import { type Static, Type } from 'typebox';
import { Cost, verificationFields, WorkspaceId } from '../../http/schemas.ts';

export const ExplainKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...verificationFields, cost: Type.Optional(Cost) },
  { additionalProperties: false },
);
export type ExplainKey = Static<typeof ExplainKey>;

export const Explanation = Type.Object(
  {
    valid: Type.Boolean({ description: 'Whether every check passes.', examples: [false] }),
    code: Type.String({
      description: 'The verdict: the first check that fails.',
      examples: ['EXPIRED'],
    }),
    checks: Type.Array(
      Type.Object({
        code: Type.String({
          description: 'The verdict that this check stands for.',
          examples: ['EXPIRED'],
        }),
        passed: Type.Boolean({ description: 'Whether it passes.', examples: [false] }),
      }),
      { description: 'Every check in its order, also after the first that fails.' },
    ),
  },
  { $id: 'Explanation', description: 'Why a key is valid or not.' },
);
export type Explanation = Static<typeof Explanation>;
