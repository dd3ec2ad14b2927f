import { type Static, Type } from 'typebox';
import { ALERT_TYPES } from '../domain/alert-types.ts';
import {
  ActorSchema,
  Cursor,
  ListedWorkspaceId,
  maybeTime,
  NextCursor,
  nullable,
  oneOf,
  open,
  PageLimit,
  ref,
  text,
  time,
} from '../http/schemas.ts';

const STATES = ['open', 'ended'] as const;
const NOTE = 'The integration moves to a new key on Monday.';

export const AlertPath = Type.Object({
  id: Type.String({
    pattern: '^alert_[0-9A-Za-z]{22}$',
    description: 'Alert id.',
    examples: ['alert_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
  }),
});

export const ListAlerts = Type.Object(
  {
    workspaceId: Type.Optional(ListedWorkspaceId),
    type: Type.Optional(
      oneOf('AlertType', ALERT_TYPES, {
        description: 'Alert type to list.',
        examples: ['key_expiring'],
      }),
    ),
    targetId: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        format: 'line',
        description: 'Id of what the alert is about.',
        examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
      }),
    ),
    state: Type.Optional(
      oneOf('AlertState', STATES, { description: 'State to list.', examples: ['open'] }),
    ),
    acknowledged: Type.Optional(
      Type.Boolean({
        description: 'True: only those that were acknowledged; false: only the others.',
        examples: [false],
      }),
    ),
    limit: PageLimit,
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type ListAlerts = Static<typeof ListAlerts>;

export const AcknowledgeAlert = Type.Object(
  { note: Type.Optional(text(1000, 'Note, for people.', NOTE)) },
  { 'x-name': 'AcknowledgeAlert', additionalProperties: false, examples: [{ note: NOTE }] },
);
export type AcknowledgeAlert = Static<typeof AcknowledgeAlert>;

export const Alert = Type.Object(
  {
    id: Type.String({ description: 'Alert id.', examples: ['alert_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'] }),
    workspaceId: Type.String({
      description:
        'Id of the workspace; `default` for what is of every workspace, such as some management keys.',
      examples: ['default'],
    }),
    type: open(oneOf('AlertType', ALERT_TYPES), {
      description: 'Alert type.',
      examples: ['key_expiring'],
    }),
    target: Type.Object(
      {
        type: open(oneOf('AlertTargetType', ['key', 'management_key', 'workspace', 'webhook']), {
          description: 'Target type.',
          examples: ['key'],
        }),
        id: Type.String({ description: 'Target id.', examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'] }),
      },
      { 'x-name': 'AlertTarget', description: 'Target: what the alert is about.' },
    ),
    details: Type.Unknown({
      description: 'Details as they were when the alert opened, by type.',
      examples: [{ expiresAt: '2026-02-28T00:00:00.000Z', days: 7 }],
    }),
    state: open(oneOf('AlertState', STATES), {
      description: 'State: `ended` once what it is about is over.',
      examples: ['open'],
    }),
    openedAt: time('When the alert opened.'),
    endedAt: maybeTime('When it ended; null: it is open.'),
    acknowledgedAt: maybeTime('When it was first acknowledged; null: not yet.'),
    acknowledgedBy: nullable(ref(ActorSchema), {
      description: 'Who acknowledged it; null: nobody yet.',
      examples: [null],
    }),
    acknowledgeNote: nullable(Type.String(), {
      description: 'Note on the acknowledgement, for people.',
      examples: [NOTE],
    }),
  },
  { $id: 'Alert', description: 'Something that someone should know.' },
);
export type Alert = Static<typeof Alert>;

export const AlertPage = Type.Object(
  {
    data: Type.Array(ref(Alert), { description: 'Alerts, the newest first.' }),
    nextCursor: NextCursor,
  },
  { $id: 'AlertPage', description: 'One page of alerts.' },
);
export type AlertPage = Static<typeof AlertPage>;
