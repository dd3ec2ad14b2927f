import { type Static, Type } from 'typebox';
import {
  ActorSchema,
  Cursor,
  instant,
  ListedWorkspaceId,
  NextCursor,
  nullable,
  oneOf,
  open,
  PageLimit,
  ref,
  time,
} from '../http/schemas.ts';
import { AUDIT_ACTIONS, AUDIT_TARGET_TYPES, type AuditAction } from './actions.ts';

const filter = (description: string, example: string) =>
  Type.Optional(
    Type.String({ minLength: 1, maxLength: 128, format: 'line', description, examples: [example] }),
  );

export const ListAuditEvents = Type.Object(
  {
    workspaceId: Type.Optional(ListedWorkspaceId),
    action: Type.Optional(
      Type.Unsafe<AuditAction>({
        type: 'string',
        enum: [...AUDIT_ACTIONS],
        description: 'Action to list.',
        examples: ['key.revoked'],
      }),
    ),
    actorId: filter('Id of the acting management key.', 'root'),
    onBehalfOf: filter('On whose behalf the actor acted.', 'user:42'),
    targetId: filter('Id of the changed thing.', 'key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'),
    after: Type.Optional(instant('Earliest time of the event.')),
    before: Type.Optional(instant('Time that the event was before.')),
    limit: PageLimit,
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type ListAuditEvents = Static<typeof ListAuditEvents>;

const Hash = Type.String({
  description:
    'Hash that links the event to the one before it: a change, gap or reorder breaks the chain.',
  examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
});

export const AuditEvent = Type.Object(
  {
    id: Type.String({ description: 'Event id.', examples: ['evt_2Lx7Yb2kQm4Xc9'] }),
    workspaceId: Type.String({
      description: 'Id of the workspace whose log the event is in.',
      examples: ['default'],
    }),
    sequence: Type.Integer({
      description:
        'Position in the log, from 1 without gaps, of which bound callers see those of their own things.',
      examples: [17],
    }),
    time: time('Time of the event, RFC 3339 in UTC.'),
    action: open(oneOf('AuditAction', AUDIT_ACTIONS), {
      description: 'Action.',
      examples: ['key.revoked'],
    }),
    actor: ref(ActorSchema),
    target: Type.Object(
      {
        type: open(oneOf('AuditTargetType', AUDIT_TARGET_TYPES), {
          description: 'Target type.',
          examples: ['key'],
        }),
        id: Type.String({
          description: 'Target id.',
          examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
        }),
      },
      { 'x-name': 'AuditTarget', description: 'Target: what was changed.' },
    ),
    before: Type.Unknown({
      description: 'Changed fields as they were; null for something new.',
      examples: [{ name: 'CI' }],
    }),
    after: Type.Unknown({
      description: 'Changed fields as they are since.',
      examples: [{ name: 'CI deploys' }],
    }),
    requestId: Type.String({ description: 'Id of the request.', examples: ['req_4fQ2-1a'] }),
    ip: nullable(Type.String(), {
      description: 'IP address that the request came from; null: none.',
      examples: ['203.0.113.7'],
    }),
    hash: Hash,
  },
  { $id: 'AuditEvent', description: 'One change, in the audit log.' },
);
export type AuditEvent = Static<typeof AuditEvent>;

export const AuditEventPage = Type.Object(
  {
    data: Type.Array(ref(AuditEvent), { description: 'Events, newest first.' }),
    nextCursor: NextCursor,
  },
  { $id: 'AuditEventPage', description: 'One page of audit events.' },
);
export type AuditEventPage = Static<typeof AuditEventPage>;

export const AuditHead = Type.Object(
  {
    workspaceId: Type.String({
      description: 'Id of the workspace whose log it is.',
      examples: ['default'],
    }),
    sequence: Type.Integer({
      description: 'Position of the newest event; 0 while the log is empty.',
      examples: [17],
    }),
    hash: Hash,
    time: time('Time of reading, RFC 3339 in UTC.'),
  },
  { $id: 'AuditHead', description: 'Head of an audit log, to be kept elsewhere.' },
);
export type AuditHead = Static<typeof AuditHead>;
