import { type Static, Type } from 'typebox';
import {
  ActorSchema,
  Cursor,
  instant,
  NextCursor,
  nullable,
  PageLimit,
  ref,
  WorkspaceId,
} from '../http/schemas.ts';

const filter = (description: string, example: string) =>
  Type.Optional(
    Type.String({ minLength: 1, maxLength: 128, format: 'text', description, examples: [example] }),
  );

export const ListAuditEvents = Type.Object(
  {
    workspaceId: Type.Optional(WorkspaceId),
    action: filter('Only events with this action.', 'key.revoked'),
    actorId: filter('Only events of this actor: a management key, a key, or `root`.', 'root'),
    onBehalfOf: filter('Only events on behalf of this (`Keyward-Actor`).', 'user:42'),
    targetId: filter('Only events about the thing with this id.', 'key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'),
    after: Type.Optional(instant('Only events at or after this time.')),
    before: Type.Optional(instant('Only events before this time.')),
    limit: PageLimit,
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type ListAuditEvents = Static<typeof ListAuditEvents>;

const Hash = Type.String({
  description:
    'Hash of the event and of the hash before it: a change, a gap or a reordering breaks the chain.',
  examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
});

export const AuditEvent = Type.Object(
  {
    id: Type.String({ description: 'Event id.', examples: ['evt_2Lx7Yb2kQm4Xc9'] }),
    workspaceId: Type.String({
      description: 'Workspace whose log contains the event.',
      examples: ['default'],
    }),
    sequence: Type.Integer({
      description: 'Sequence number in the log, from 1 without gaps.',
      examples: [17],
    }),
    time: Type.String({
      description: 'Time of the change, RFC 3339 in UTC.',
      examples: ['2026-01-31T12:00:00.000Z'],
    }),
    action: Type.String({
      description:
        'Action. Known values: key.created, key.imported, key.updated, key.revoked, key.deleted, key.rotated, key.grace_ended, key.credits_changed, workspace.created, workspace.updated, workspace.suspended, workspace.resumed, workspace.deleted, management_key.created, management_key.rotated, management_key.revoked, audit.pruned.',
      examples: ['key.revoked'],
    }),
    actor: ref(ActorSchema),
    target: Type.Object(
      {
        type: Type.String({
          description: 'Type of the target. Known values: key, workspace, management_key.',
          examples: ['key'],
        }),
        id: Type.String({
          description: 'Id of the target.',
          examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
        }),
      },
      { description: 'The thing that was changed.' },
    ),
    before: Type.Unknown({
      description: 'Changed fields before the change; null for something new.',
      examples: [{ name: 'CI' }],
    }),
    after: Type.Unknown({
      description: 'Changed fields after the change.',
      examples: [{ name: 'CI deploys' }],
    }),
    requestId: Type.String({ description: 'Request id of the call.', examples: ['req_4fQ2-1a'] }),
    ip: nullable(Type.String(), {
      description: 'Network address of the caller; null if there was no network call.',
      examples: ['203.0.113.7'],
    }),
    hash: Hash,
  },
  { $id: 'AuditEvent', description: 'A change, as the audit log records it.' },
);
export type AuditEvent = Static<typeof AuditEvent>;

export const AuditEventPage = Type.Object(
  {
    data: Type.Array(ref(AuditEvent), { description: 'Audit events, newest first.' }),
    nextCursor: NextCursor,
  },
  { $id: 'AuditEventPage', description: 'One page of audit events.' },
);
export type AuditEventPage = Static<typeof AuditEventPage>;

export const AuditHead = Type.Object(
  {
    workspaceId: Type.String({ description: 'Workspace of the log.', examples: ['default'] }),
    sequence: Type.Integer({
      description: 'Sequence number of the newest event; 0 while the log is empty.',
      examples: [17],
    }),
    hash: Hash,
    time: Type.String({
      description: 'Time of the reading, RFC 3339 in UTC.',
      examples: ['2026-01-31T12:00:00.000Z'],
    }),
  },
  { $id: 'AuditHead', description: 'The newest link of an audit log, to be kept elsewhere.' },
);
export type AuditHead = Static<typeof AuditHead>;
