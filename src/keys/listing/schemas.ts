import { type Static, Type } from 'typebox';
import { PREFIX_MAX_LENGTH, PREFIX_PATTERN } from '../../domain/key-string.ts';
import { GRANTED_SCOPE_PATTERN, SCOPE_MAX_LENGTH } from '../../domain/scopes.ts';
import { KEY_STATUSES } from '../../domain/status.ts';
import {
  Cursor,
  instant,
  NextCursor,
  PageLimit,
  ref,
  text,
  WorkspaceId,
} from '../../http/schemas.ts';
import { OwnerId } from '../schemas/fields.ts';
import { Key } from '../schemas/key.ts';

const at = (description: string) => Type.Optional(instant(description));

export const ListKeys = Type.Object(
  {
    workspaceId: Type.Optional(WorkspaceId),
    status: Type.Optional(
      Type.Array(
        Type.Unsafe<(typeof KEY_STATUSES)[number]>({ type: 'string', enum: [...KEY_STATUSES] }),
        {
          maxItems: KEY_STATUSES.length,
          description: 'Only keys with one of these statuses. Default: all.',
          examples: [['active', 'scheduled']],
        },
      ),
    ),
    search: Type.Optional(text(100, 'Part of the name, in any case.', 'deploy')),
    start: Type.Optional(
      text(48, 'How the key string begins, as lists show it.', 'ak_live_4fQ2mX…'),
    ),
    ownerId: Type.Optional(OwnerId),
    scope: Type.Optional(
      Type.String({
        pattern: GRANTED_SCOPE_PATTERN,
        maxLength: SCOPE_MAX_LENGTH,
        description: 'Keys that were given exactly this scope.',
        examples: ['sources:read'],
      }),
    ),
    prefix: Type.Optional(
      Type.String({
        pattern: PREFIX_PATTERN,
        maxLength: PREFIX_MAX_LENGTH,
        description: 'Keys with this prefix.',
        examples: ['ak_live'],
      }),
    ),
    createdAfter: at('Created at or after this time.'),
    createdBefore: at('Created before this time.'),
    expiresAfter: at('Expires at or after this time.'),
    expiresBefore: at('Expires before this time.'),
    lastUsedAfter: at('Last found valid at or after this time.'),
    lastUsedBefore: at('Last found valid before this time.'),
    neverUsed: Type.Optional(
      Type.Boolean({ description: 'True: never found valid so far.', examples: [true] }),
    ),
    sort: Type.Unsafe<'-createdAt' | 'name' | 'expiresAt'>({
      type: 'string',
      enum: ['-createdAt', 'name', 'expiresAt'],
      default: '-createdAt',
      description: 'Newest first, by name in any case, or the next to expire first.',
      examples: ['-createdAt'],
    }),
    limit: PageLimit,
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type ListKeys = Static<typeof ListKeys>;

export const KeyPage = Type.Object(
  {
    data: Type.Array(ref(Key), { description: 'The keys, in the order of `sort`.' }),
    nextCursor: NextCursor,
  },
  { $id: 'KeyPage', description: 'One page of keys.' },
);
export type KeyPage = Static<typeof KeyPage>;
