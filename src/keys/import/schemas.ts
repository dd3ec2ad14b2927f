import { type Static, Type } from 'typebox';
import { line, nullable, WorkspaceId } from '../../http/schemas.ts';
import { newKeyFields } from '../schemas/fields.ts';

export const ImportItem = Type.Object(
  {
    ...newKeyFields,
    hash: Type.Object(
      {
        algorithm: Type.Unsafe<'sha256' | 'sha512'>({
          type: 'string',
          enum: ['sha256', 'sha512'],
          description: 'Hash algorithm of the digest.',
          examples: ['sha256'],
        }),
        value: Type.String({
          minLength: 43,
          maxLength: 128,
          description: 'Digest of the whole key string as its holder presents it; hex or base64.',
          examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
        }),
      },
      { additionalProperties: false, description: 'Digest that the other system stored.' },
    ),
    start: Type.Optional(
      line(24, 'Start of the key string, for lists: a few characters only.', 'sk_ab12'),
    ),
  },
  { additionalProperties: false },
);
export type ImportItem = Static<typeof ImportItem>;

export const ImportKeys = Type.Object(
  {
    workspaceId: Type.Optional(WorkspaceId),
    keys: Type.Array(ImportItem, {
      minItems: 1,
      maxItems: 1000,
      description: 'Keys to import.',
    }),
  },
  { additionalProperties: false },
);

const ImportResult = Type.Object({
  index: Type.Integer({ description: 'Index of the item in `keys`, from 0.', examples: [0] }),
  status: Type.String({
    description:
      'Import status. Known values: created, duplicate (the digest is known already), invalid.',
    examples: ['created'],
  }),
  keyId: nullable(Type.String(), {
    description: 'Id of the new key; null if none was created.',
    examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
  errors: Type.Array(
    Type.Object({
      pointer: Type.String({
        description: 'JSON pointer to the field, within the item.',
        examples: ['/expiresAt'],
      }),
      detail: Type.String({
        description: 'What is wrong with the field.',
        examples: ['must be in the future'],
      }),
    }),
    { description: 'Errors of an invalid item; else empty.', examples: [[]] },
  ),
});
export type ImportResult = Static<typeof ImportResult>;

export const ImportReport = Type.Object(
  {
    created: Type.Integer({ description: 'Number of keys created.', examples: [998] }),
    duplicates: Type.Integer({
      description: 'Number of items whose digest was known already.',
      examples: [1],
    }),
    invalid: Type.Integer({ description: 'Number of items refused.', examples: [1] }),
    results: Type.Array(ImportResult, { description: 'Result of each item, in order.' }),
  },
  { $id: 'ImportReport', description: 'Result of an import.' },
);
export type ImportReport = Static<typeof ImportReport>;
