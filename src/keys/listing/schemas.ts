import { type Static, Type } from 'typebox';
import { PREFIX_MAX_LENGTH, PREFIX_PATTERN } from '../../domain/key-string.ts';
import { GRANTED_SCOPE_PATTERN, SCOPE_MAX_LENGTH } from '../../domain/scopes.ts';
import { KEY_STATUSES } from '../../domain/status.ts';
import {
  Cursor,
  instant,
  ListedWorkspaceId,
  line,
  NextCursor,
  oneOf,
  PageLimit,
  ref,
} from '../../http/schemas.ts';
import { OwnerId } from '../schemas/fields.ts';
import { Key, KeyStatus } from '../schemas/key.ts';

const at = (description: string) => Type.Optional(instant(description));

export const ListKeys = Type.Object(
  {
    workspaceId: Type.Optional(ListedWorkspaceId),
    status: Type.Optional(
      Type.Array(KeyStatus, {
        maxItems: KEY_STATUSES.length,
        description: 'Key statuses to list. Default: all.',
        examples: [['active', 'scheduled']],
      }),
    ),
    search: Type.Optional(line(100, 'Part of the key name, in any case.', 'deploy')),
    start: Type.Optional(line(48, 'Start of the key string, as lists show it.', 'ak_live_4fQ2mX…')),
    ownerId: Type.Optional(OwnerId),
    scope: Type.Optional(
      Type.String({
        pattern: GRANTED_SCOPE_PATTERN,
        maxLength: SCOPE_MAX_LENGTH,
        description: 'Scope that was granted literally.',
        examples: ['sources:read'],
      }),
    ),
    prefix: Type.Optional(
      Type.String({
        pattern: PREFIX_PATTERN,
        maxLength: PREFIX_MAX_LENGTH,
        description: 'Prefix of the key string.',
        examples: ['ak_live'],
      }),
    ),
    createdAfter: at('Earliest time of creation.'),
    createdBefore: at('Time that the key was created before.'),
    expiresAfter: at('Earliest expiry.'),
    expiresBefore: at('Time that the key expires before.'),
    lastUsedAfter: at('Earliest time of the last use.'),
    lastUsedBefore: at('Time that the key was last used before.'),
    neverUsed: Type.Optional(
      Type.Boolean({ description: 'True: only keys that were never used.', examples: [true] }),
    ),
    sort: oneOf('KeySort', ['-createdAt', 'name', 'expiresAt'], {
      default: '-createdAt',
      description: 'Sort order: newest first, by name in any case, or next to expire first.',
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
    data: Type.Array(ref(Key), { description: 'Keys in the order of `sort`.' }),
    nextCursor: NextCursor,
  },
  { $id: 'KeyPage', description: 'One page of keys.' },
);
export type KeyPage = Static<typeof KeyPage>;
