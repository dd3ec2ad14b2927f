import { type Static, Type } from 'typebox';
import { maybeTime, nullable, oneOf, open, ref, time, WorkspaceId } from '../../http/schemas.ts';
import { Key, LastUsedFrom } from '../schemas/key.ts';

export const FindKey = Type.Object(
  {
    key: Type.String({
      description:
        'Key string to find, without an authorization scheme. It is neither logged nor stored.',
      examples: ['ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq'],
    }),
    workspaceId: Type.Optional(WorkspaceId),
  },
  {
    'x-name': 'FindKeyRequest',
    additionalProperties: false,
    examples: [
      { key: 'ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq' },
    ],
  },
);

export type FindKey = Static<typeof FindKey>;

const FoundSecret = Type.Object(
  {
    id: Type.String({ description: 'Secret id.', examples: ['sec_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'] }),
    start: Type.String({
      description: 'Start of the key string, as lists show it.',
      examples: ['ak_live_4fQ2mX…'],
    }),
    imported: Type.Boolean({
      description: 'Whether the string comes from another system.',
      examples: [false],
    }),
    status: open(oneOf('FoundSecretStatus', ['current', 'retiring', 'ended']), {
      description: 'What the string is now; retiring: replaced, in its grace period.',
      examples: ['ended'],
    }),
    endedBy: nullable(
      open(oneOf('SecretEnd', ['rotation', 'revocation', 'deletion', 'expiry']), {}),
      {
        description:
          'What ended the string first; null if it has not ended. Deletion is that of the key or its ' +
          'workspace.',
        examples: ['rotation'],
      },
    ),
    createdAt: time('When the string was issued or imported, RFC 3339 in UTC.'),
    lastUsedAt: maybeTime(
      'Last time the string was VALID; null: never.',
      '2026-01-31T12:00:00.000Z',
    ),
    lastUsedFrom: LastUsedFrom,
    validUntil: maybeTime(
      'When the grace period of a replaced string ends or ended; null: it has none.',
    ),
  },
  { 'x-name': 'FoundSecret' },
);

export const FoundKey = Type.Object(
  {
    found: Type.Boolean({
      description:
        'Whether the string is or was that of a key. False, with null below, also for a key of ' +
        'another workspace, and for a string that is right but for its secret.',
      examples: [true],
    }),
    key: nullable(ref(Key), { description: 'The key, also if it is deleted.' }),
    deletedAt: maybeTime('When the key was deleted, RFC 3339 in UTC; null: it is not.'),
    secret: nullable(FoundSecret, { description: 'What became of the string.' }),
  },
  { $id: 'FoundKey', description: 'The key that a string belongs or belonged to.' },
);
export type FoundKey = Static<typeof FoundKey>;
