import { type Static, Type } from 'typebox';
import { IDLE_STEPS } from '../../domain/idle-policy.ts';
import {
  Cursor,
  NextCursor,
  nullable,
  oneOf,
  open,
  PageLimit,
  time,
  WorkspaceId,
} from '../../http/schemas.ts';

const OF_WORKSPACE = 'Default: as the workspace has it.';

const days = (description: string, example: number, minimum: 0 | 1) =>
  Type.Optional(Type.Integer({ minimum, maximum: 3650, description, examples: [example] }));

export const IdleKeysQuery = Type.Object(
  {
    workspaceId: Type.Optional(WorkspaceId),
    warnAfterDays: days(`Days without use until the alert; 0: none. ${OF_WORKSPACE}`, 90, 0),
    disableAfterDays: days(`Days until a key is disabled; 0: it is not. ${OF_WORKSPACE}`, 120, 0),
    revokeAfterDays: days(`Days until a key is revoked; 0: it is not. ${OF_WORKSPACE}`, 180, 0),
    noticeDays: days(`Days for which each step is visible. ${OF_WORKSPACE}`, 14, 1),
    limit: PageLimit,
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type IdleKeysQuery = Static<typeof IdleKeysQuery>;

const shownDays = (description: string, example: number | null) =>
  nullable(Type.Integer(), { description, examples: [example] });

const IdlePolicyShown = Type.Object(
  {
    warnAfterDays: shownDays('Days without use until the alert; null: never.', 90),
    disableAfterDays: shownDays('Days without use until a key is disabled; null: never.', 120),
    revokeAfterDays: shownDays('Days without use until a key is revoked; null: never.', 180),
    noticeDays: Type.Integer({
      description: 'Days for which each step is visible before the next one.',
      examples: [14],
    }),
  },
  { 'x-name': 'IdlePolicyShown', description: 'The policy that the steps follow from.' },
);

const IdleKey = Type.Object(
  {
    id: Type.String({ description: 'Key id.', examples: ['key_4fZkT9qLmR2xW7cVbN1yHd'] }),
    name: Type.String({ description: 'Key name, for people.', examples: ['CI pipeline'] }),
    ownerId: nullable(Type.String(), {
      description: 'Owner of the key in your system.',
      examples: ['customer_42'],
    }),
    enabled: Type.Boolean({ description: 'Whether the key is enabled.', examples: [true] }),
    lastUsedAt: nullable(time('When the key was last found valid; null: never.'), {
      description: 'When the key was last found valid; null: never.',
    }),
    unusedSince: time('Since when nobody could use the key and nobody did.'),
    warnedAt: nullable(time('When its alert was opened; null: none is open.'), {
      description: 'When its alert was opened; null: none is open.',
    }),
    steps: Type.Array(
      Type.Object(
        {
          step: open(oneOf('IdleStep', IDLE_STEPS, {}), {
            description: 'What happens to the key.',
            examples: ['disable'],
          }),
          at: time('When it happens, if nobody uses, presents or changes the key until then.'),
        },
        { 'x-name': 'IdlePlannedStep', description: 'Something that will happen.' },
      ),
      { description: 'What happens, in order; what is due has the time of the report.' },
    ),
  },
  { 'x-name': 'IdleKey', description: 'A key that nobody uses, and what the policy does with it.' },
);
export type IdleKey = Static<typeof IdleKey>;

export const IdleKeyPage = Type.Object(
  {
    asOf: time('When the report was made.'),
    workspaceId: Type.String({ description: 'Workspace of the keys.', examples: ['default'] }),
    policy: IdlePolicyShown,
    data: Type.Array(IdleKey, {
      description: 'Keys with steps: those longest without use first, then those never used.',
    }),
    nextCursor: NextCursor,
  },
  { $id: 'IdleKeyPage', description: 'What an idle policy does, one page of keys at a time.' },
);
export type IdleKeyPage = Static<typeof IdleKeyPage>;
