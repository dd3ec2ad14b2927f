import { type Static, Type } from 'typebox';
import { nullable, text, WorkspaceId } from '../../http/schemas.ts';
import { newKeyFields } from '../schemas/fields.ts';

export const ImportItem = Type.Object(
  {
    ...newKeyFields,
    hash: Type.Object(
      {
        algorithm: Type.Unsafe<'sha256' | 'sha512'>({
          type: 'string',
          enum: ['sha256', 'sha512'],
          description: 'How it was made.',
          examples: ['sha256'],
        }),
        value: Type.String({
          minLength: 43,
          maxLength: 128,
          description: 'Over the whole key string as its holder presents it; hex or base64.',
          examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
        }),
      },
      { additionalProperties: false, description: 'The digest that the other system kept.' },
    ),
    start: Type.Optional(
      text(
        24,
        'How the key string begins, for lists; never more than a few characters.',
        'sk_ab12',
      ),
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
      description: 'The keys to take over.',
    }),
  },
  { additionalProperties: false },
);
export type ImportKeys = Static<typeof ImportKeys>;

const ImportResult = Type.Object({
  index: Type.Integer({ description: 'Its place in `keys`, from 0.', examples: [0] }),
  status: Type.String({
    description: 'Known values: created, duplicate (its digest is known already), invalid.',
    examples: ['created'],
  }),
  keyId: nullable(Type.String(), {
    description: 'The new key; null where none was made.',
    examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
  errors: Type.Array(
    Type.Object({
      pointer: Type.String({
        description: 'JSON pointer within the item.',
        examples: ['/expiresAt'],
      }),
      detail: Type.String({
        description: 'What is wrong with it.',
        examples: ['must lie in the future'],
      }),
    }),
    { description: 'Why it is invalid; else empty.', examples: [[]] },
  ),
});
export type ImportResult = Static<typeof ImportResult>;

export const ImportReport = Type.Object(
  {
    created: Type.Integer({ description: 'Keys made.', examples: [998] }),
    duplicates: Type.Integer({ description: 'Digests that were known already.', examples: [1] }),
    invalid: Type.Integer({ description: 'Items refused.', examples: [1] }),
    results: Type.Array(ImportResult, { description: 'What became of each item, in order.' }),
  },
  { $id: 'ImportReport', description: 'What an import did.' },
);
export type ImportReport = Static<typeof ImportReport>;
