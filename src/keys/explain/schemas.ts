import { type Static, Type } from 'typebox';
import { open, WorkspaceId } from '../../http/schemas.ts';
import { Cost, VerdictCode, verificationFields } from '../../http/verification-schemas.ts';

export const ExplainKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...verificationFields, cost: Type.Optional(Cost) },
  {
    'x-name': 'ExplainKeyRequest',
    additionalProperties: false,
    examples: [{ requiredScopes: ['sources:read'] }],
  },
);
export type ExplainKey = Static<typeof ExplainKey>;

export const Explanation = Type.Object(
  {
    valid: Type.Boolean({ description: 'Whether every check passes.', examples: [false] }),
    code: open(VerdictCode, {
      description: 'Verdict code of the first check that fails; VALID if none does.',
      examples: ['EXPIRED'],
    }),
    checks: Type.Array(
      Type.Object(
        {
          code: open(VerdictCode, {
            description: 'Verdict code if this check fails.',
            examples: ['EXPIRED'],
          }),
          passed: Type.Boolean({ description: 'Whether the check passes.', examples: [false] }),
        },
        { 'x-name': 'ExplanationCheck' },
      ),
      { description: 'All checks in their order, those after the first failure included.' },
    ),
  },
  { $id: 'Explanation', description: 'Why a key is valid or not.' },
);
export type Explanation = Static<typeof Explanation>;
