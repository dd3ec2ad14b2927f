import { type Static, Type } from 'typebox';
import {
  Cursor,
  ListedWorkspaceId,
  NextCursor,
  nullable,
  oneOf,
  open,
  PageLimit,
  time,
} from '../../http/schemas.ts';
import { Key } from '../../keys/schemas/key.ts';
import { KEY_SECTIONS, OWNER_SECTION } from './sections.ts';

const days = (description: string, byDefault: number) =>
  Type.Integer({
    minimum: 1,
    maximum: 3650,
    default: byDefault,
    description,
    examples: [byDefault],
  });

const parameters = {
  idleDays: days('After how many days without a use a key is `idle`.', 90),
  expiringDays: days('Within how many days a key of `expiring` expires.', 30),
  maxScopes: Type.Integer({
    minimum: 5,
    maximum: 100,
    default: 10,
    description: 'More scopes than this are `many-scopes`.',
    examples: [10],
  }),
  rotateAfterDays: days('How many days old a string of `rotation-due` is.', 180),
  disabledDays: days('For how many days a key of `disabled-long` has not been changed.', 90),
};
const query = { workspaceId: Type.Optional(ListedWorkspaceId), ...parameters };

export const HygieneQuery = Type.Object(query, { additionalProperties: false });
export type HygieneQuery = Static<typeof HygieneQuery>;

export const HygieneSectionQuery = Type.Object(
  { ...query, limit: PageLimit, cursor: Type.Optional(Cursor) },
  { additionalProperties: false },
);
export type HygieneSectionQuery = Static<typeof HygieneSectionQuery>;

export const HygieneSectionPath = Type.Object({
  section: oneOf('HygieneKeySection', KEY_SECTIONS, {
    description: 'Section of the report.',
    examples: ['never-used'],
  }),
});

export const HygieneReport = Type.Object(
  {
    asOf: time('When the report was made.'),
    workspaceId: Type.String({
      description: 'Workspace of the keys; `*`: every workspace.',
      examples: ['default'],
    }),
    parameters: Type.Object(parameters, {
      'x-name': 'HygieneParameters',
      description: 'What the sections were counted with.',
    }),
    sections: Type.Array(
      Type.Object(
        {
          section: open(oneOf('HygieneSection', [...KEY_SECTIONS, OWNER_SECTION]), {
            description: 'Section of the report, to be read by its name.',
            examples: ['never-used'],
          }),
          count: nullable(Type.Integer(), {
            description:
              'Number of keys, or of owners, up to 10,000; null: the database took more than half a ' +
              'second to count them.',
            examples: [12],
          }),
          more: Type.Boolean({
            description: 'Whether there are more than `count`.',
            examples: [false],
          }),
        },
        { 'x-name': 'HygieneCount', description: 'How many keys a section has.' },
      ),
      { description: 'Every section, in the same order.' },
    ),
  },
  { $id: 'HygieneReport', description: 'What should be looked at, in figures.' },
);
export type HygieneReport = Static<typeof HygieneReport>;

const HygieneKey = Type.Object(
  {
    ...Key.properties,
    since: time(
      'The time that the section is about: when the key was created (`never-used`, `without-expiry`, ' +
        '`all-scopes`, `many-scopes`), last used (`idle`), expires (`expiring`) or last changed ' +
        '(`disabled-long`), when its string was issued (`rotation-due`, `imported-never-rotated`), ' +
        'when the retiring one was last used (`retiring-in-use`).',
    ),
  },
  { 'x-name': 'HygieneKey', description: 'A key of a section, as lists show it.' },
);

export const HygieneKeyPage = Type.Object(
  {
    data: Type.Array(HygieneKey, {
      description: 'Keys, by workspace and in the order of the section.',
    }),
    nextCursor: NextCursor,
  },
  { $id: 'HygieneKeyPage', description: 'One page of the keys of a section.' },
);
export type HygieneKeyPage = Static<typeof HygieneKeyPage>;

export const HygieneOwnerPage = Type.Object(
  {
    data: Type.Array(
      Type.Object(
        {
          workspaceId: Type.String({
            description: 'Id of the workspace of the keys.',
            examples: ['default'],
          }),
          ownerId: Type.String({
            description: 'Owner of the keys in your system.',
            examples: ['customer_42'],
          }),
          keys: Type.Integer({
            description: 'Number of the owner’s keys that are not deleted.',
            examples: [3],
          }),
        },
        {
          'x-name': 'HygieneOwner',
          description: 'An owner of keys of which none is active, nor will be by itself.',
        },
      ),
      { description: 'Owners, by workspace and id.' },
    ),
    nextCursor: NextCursor,
  },
  { $id: 'HygieneOwnerPage', description: 'One page of owners without active keys.' },
);
export type HygieneOwnerPage = Static<typeof HygieneOwnerPage>;
