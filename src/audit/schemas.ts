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
    action: filter('Only this action.', 'key.revoked'),
    actorId: filter('Only what this management key did.', 'root'),
    onBehalfOf: filter('Only what was done on behalf of this.', 'user:42'),
    targetId: filter('Only what was done to this.', 'key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'),
    after: Type.Optional(instant('Only what was done at or after this time.')),
    before: Type.Optional(instant('Only what was done before this time.')),
    limit: PageLimit,
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type ListAuditEvents = Static<typeof ListAuditEvents>;

const Hash = Type.String({
  description: 'Links this entry to the one before it: a change, gap or reorder breaks the chain.',
  examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
});

export const AuditEvent = Type.Object(
  {
    id: Type.String({ description: "The event's identifier.", examples: ['evt_2Lx7Yb2kQm4Xc9'] }),
    workspaceId: Type.String({ description: 'Whose log it is in.', examples: ['default'] }),
    sequence: Type.Integer({
      description: 'Its place in the log, from 1 without gaps.',
      examples: [17],
    }),
    time: Type.String({
      description: 'When it was done, RFC 3339 in UTC.',
      examples: ['2026-01-31T12:00:00.000Z'],
    }),
    action: Type.String({
      description:
        'What was done. Known values: key.created, key.imported, key.updated, key.revoked, key.deleted, key.rotated, key.grace_ended, key.credits_changed, workspace.created, workspace.updated, workspace.suspended, workspace.resumed, workspace.deleted, management_key.created, management_key.rotated, management_key.revoked, audit.pruned.',
      examples: ['key.revoked'],
    }),
    actor: ref(ActorSchema),
    target: Type.Object(
      {
        type: Type.String({ description: 'What it is.', examples: ['key'] }),
        id: Type.String({
          description: 'Its identifier.',
          examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
        }),
      },
      { description: 'What it was done to.' },
    ),
    before: Type.Unknown({
      description: 'The changed fields as they were; null for something new.',
      examples: [{ name: 'CI' }],
    }),
    after: Type.Unknown({
      description: 'The changed fields as they are since.',
      examples: [{ name: 'CI deploys' }],
    }),
    requestId: Type.String({ description: 'The call that did it.', examples: ['req_4fQ2-1a'] }),
    ip: nullable(Type.String(), {
      description: 'Where that call came from.',
      examples: ['203.0.113.7'],
    }),
    hash: Hash,
  },
  { $id: 'AuditEvent', description: 'One change, on the record.' },
);
export type AuditEvent = Static<typeof AuditEvent>;

export const AuditEventPage = Type.Object(
  {
    data: Type.Array(ref(AuditEvent), { description: 'The events, newest first.' }),
    nextCursor: NextCursor,
  },
  { $id: 'AuditEventPage', description: 'One page of audit events.' },
);
export type AuditEventPage = Static<typeof AuditEventPage>;

export const AuditHead = Type.Object(
  {
    workspaceId: Type.String({ description: 'Whose log it is.', examples: ['default'] }),
    sequence: Type.Integer({
      description: 'The place of the newest entry; 0 while the log is empty.',
      examples: [17],
    }),
    hash: Hash,
    time: Type.String({
      description: 'When this was read, RFC 3339 in UTC.',
      examples: ['2026-01-31T12:00:00.000Z'],
    }),
  },
  { $id: 'AuditHead', description: 'The end of an audit log, to be kept elsewhere.' },
);
export type AuditHead = Static<typeof AuditHead>;
