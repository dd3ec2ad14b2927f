import { type Static, Type } from 'typebox';
import { MAX_CREDITS } from '../../domain/refill.ts';
import { oneOf, WorkspaceId } from '../../http/schemas.ts';

export const ChangeCredits = Type.Object(
  {
    workspaceId: Type.Optional(WorkspaceId),
    operation: oneOf('CreditsOperation', ['add', 'subtract', 'set'], {
      description: 'Operation on the balance; `subtract` stops at 0.',
      examples: ['add'],
    }),
    amount: Type.Integer({
      minimum: 0,
      maximum: MAX_CREDITS,
      description: 'Amount of credits.',
      examples: [500],
    }),
  },
  {
    'x-name': 'ChangeCreditsRequest',
    additionalProperties: false,
    examples: [{ operation: 'add', amount: 100 }],
  },
);
export type ChangeCredits = Static<typeof ChangeCredits>;
