import { type Static, Type } from 'typebox';
import { FieldErrorSchema, line, nullable, oneOf, open, WorkspaceId } from '../../http/schemas.ts';
import { newKeyFields } from '../schemas/fields.ts';

/** Of the body of an import. */
export const IMPORT_LIMIT_BYTES = 1_048_576;

export const ImportItem = Type.Object(
  {
    ...newKeyFields,
    hash: Type.Object(
      {
        algorithm: oneOf('HashAlgorithm', ['sha256', 'sha512'], {
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
      {
        'x-name': 'ImportHash',
        additionalProperties: false,
        description: 'Digest that the other system stored.',
      },
    ),
    start: Type.Optional(
      line(24, 'Start of the key string, for lists: a few characters only.', 'sk_ab12'),
    ),
  },
  { 'x-name': 'ImportItem', additionalProperties: false },
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
  {
    'x-name': 'ImportKeysRequest',
    additionalProperties: false,
    examples: [
      {
        keys: [
          {
            name: 'CI deploys',
            hash: {
              algorithm: 'sha256',
              value: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
            },
          },
        ],
      },
    ],
  },
);

const importResultFields = {
  index: Type.Integer({ description: 'Index of the item in `keys`, from 0.', examples: [0] }),
  status: open(oneOf('ImportStatus', ['created', 'duplicate', 'invalid']), {
    description: 'Import status; duplicate: the digest is known already.',
    examples: ['created'],
  }),
  keyId: nullable(Type.String(), {
    description: 'Id of the new key; null if none was created.',
    examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
  errors: Type.Array(FieldErrorSchema, {
    description: 'Errors of an invalid item, their pointers beginning at the item; else empty.',
    examples: [[]],
  }),
};

const ImportResult = Type.Object(importResultFields, {
  'x-name': 'ImportResult',
  description: 'The result of one item of an import.',
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
