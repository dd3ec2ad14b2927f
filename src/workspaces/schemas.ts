import { type Static, Type } from 'typebox';
import { WORKSPACE_ID_PATTERN } from '../domain/caller.ts';
import { PREFIX_MAX_LENGTH, PREFIX_PATTERN } from '../domain/key-string.ts';
import { GRANTED_SCOPE_PATTERN, SCOPE_MAX_LENGTH } from '../domain/scopes.ts';
import {
  Cursor,
  line,
  NextCursor,
  nullable,
  oneOf,
  open,
  PageLimit,
  RequestsPerSecond,
  ref,
  text,
  time,
} from '../http/schemas.ts';

const AvailableScope = Type.Object(
  {
    scope: Type.String({
      pattern: GRANTED_SCOPE_PATTERN,
      maxLength: SCOPE_MAX_LENGTH,
      description: 'Scope that keys may have.',
      examples: ['sources:read'],
    }),
    title: line(100, 'Scope title, for people.', 'Read sources'),
    description: text(500, 'Scope description, for people.', 'List and read all sources.'),
  },
  { 'x-name': 'AvailableScopeInput', additionalProperties: false },
);

const LeakResponse = oneOf('LeakResponse', ['revoke', 'rotate'], {
  description:
    'What happens to a key whose string was reported as leaked: it is revoked, or its string ends ' +
    'within an hour and another rotation gives it a new one. Default: `revoke`.',
  examples: ['revoke'],
});

const policies = {
  apiAccess: Type.Boolean({
    description:
      'Whether keys can be created, imported and rotated; without it they answer 403 ' +
      'UPGRADE_REQUIRED, and existing keys go on working. Default: true.',
    examples: [true],
  }),
  maxActiveKeys: nullable(Type.Integer({ minimum: 0, maximum: 10_000_000 }), {
    description:
      'Maximum number of active keys: neither revoked nor expired. Default: null, no limit.',
    examples: [100],
  }),
  maxKeys: nullable(Type.Integer({ minimum: 0, maximum: 100_000_000 }), {
    description:
      'Maximum number of keys that are not deleted, whatever their status. Default: null, no limit.',
    examples: [null],
  }),
  maxAuditEvents: nullable(Type.Integer({ minimum: 0, maximum: 1_000_000_000 }), {
    description:
      'Maximum number of entries in its audit log, without those that retention has dropped. Beyond ' +
      'it changes are refused, but never a revocation, a deletion, the end of a grace period, a key ' +
      'that is disabled, or a suspension. Default: null, no limit.',
    examples: [null],
  }),
  maxRequestsPerSecond: nullable(RequestsPerSecond, {
    description:
      'Maximum number of calls a second by the management keys that are bound to it, together, on ' +
      'each instance of Keyward; each item of a batch or an import counts. Calls that end or stop ' +
      'something pass. Default: null, no limit.',
    examples: [null],
  }),
  requireExpiry: Type.Boolean({
    description: 'Whether every new key must expire. Default: false.',
    examples: [false],
  }),
  maxLifetimeSeconds: nullable(Type.Integer({ minimum: 60, maximum: 315_360_000 }), {
    description: 'Longest lifetime of a key from now, in seconds. Default: null, no limit.',
    examples: [7776000],
  }),
  requireResource: Type.Boolean({
    description:
      'Whether a verification of a key that lists resources must name one. Default: false.',
    examples: [false],
  }),
  availableScopes: nullable(Type.Array(AvailableScope, { maxItems: 500 }), {
    description:
      'Scopes that keys may have; others are refused. A wildcard is accepted, and covers these alone. ' +
      'Default: null, any.',
    examples: [[{ scope: 'sources:read', title: 'Read sources', description: 'List and read.' }]],
  }),
  immutableKeys: Type.Boolean({
    description:
      'Whether keys are immutable: then only `name`, `description` and `enabled` can change. ' +
      'Default: false.',
    examples: [false],
  }),
  leakResponse: LeakResponse,
  defaultPrefix: Type.String({
    pattern: PREFIX_PATTERN,
    maxLength: PREFIX_MAX_LENGTH,
    description: 'Prefix of keys that are created without one. Default: `ak_live`.',
    examples: ['ak_live'],
  }),
};

const days = (description: string, example: number | null) =>
  nullable(Type.Integer({ minimum: 1, maximum: 3650 }), { description, examples: [example] });

const AlertThresholds = Type.Object(
  {
    expiringDays: Type.Array(Type.Integer({ minimum: 1, maximum: 365 }), {
      maxItems: 10,
      uniqueItems: true,
      description:
        'How many days before its expiry a key, or a management key, is alerted of; `[]`: never. ' +
        'Not of one that was made for no longer than that.',
      examples: [[30, 7, 1]],
    }),
    rotationDueDays: days('Days since a key got its string; null: never due.', 365),
    limitedHours: nullable(Type.Integer({ minimum: 1, maximum: 24 }), {
      description: 'In how many of the last 24 hours a key was limited; null: no alert.',
      examples: [6],
    }),
    creditsLow: nullable(Type.Integer({ minimum: 1, maximum: 1_000_000_000 }), {
      description:
        'How many credits a key has left, of one with a refill at most a tenth of it; null: no ' +
        'alert, except of those that are exhausted.',
      examples: [100],
    }),
    wrongKeysPerHour: nullable(Type.Integer({ minimum: 1, maximum: 1_000_000_000 }), {
      description: 'Attempts in an hour with strings that match no key; null: no alert.',
      examples: [1000],
    }),
    unusualFactor: nullable(Type.Number({ minimum: 1.5, maximum: 1000 }), {
      description:
        'How many times as much as it ever was at this hour of the week makes the use of a key ' +
        'unusual; null: no alert.',
      examples: [5],
    }),
    unusualMinimum: Type.Integer({
      minimum: 1,
      maximum: 1_000_000_000,
      description: 'Verifications in an hour below which no use is unusual.',
      examples: [100],
    }),
  },
  { 'x-name': 'AlertThresholds', additionalProperties: false },
);

const IdlePolicy = Type.Object(
  {
    warnAfterDays: days('Days without use after which there is an alert; null: never.', 90),
    disableAfterDays: days('Days without use after which a key is disabled; null: never.', null),
    revokeAfterDays: days('Days without use after which a key is revoked; null: never.', null),
    noticeDays: Type.Integer({
      minimum: 1,
      maximum: 365,
      description: 'Days for which each step was visible before the next one follows.',
      examples: [14],
    }),
  },
  { 'x-name': 'IdlePolicy', additionalProperties: false },
);

const watching = {
  alertThresholds: nullable(AlertThresholds, {
    description: 'From where on something is alerted. Default: null, the values of the examples.',
    examples: [null],
  }),
  idlePolicy: nullable(IdlePolicy, {
    description:
      'What happens to keys that nobody uses. Default: null, an alert after 90 days and nothing else.',
    examples: [null],
  }),
};

const Name = nullable(line(100, 'Workspace name, for people.', 'Acme Inc.'));

export const WorkspaceInput = Type.Partial(Type.Object({ name: Name, ...policies, ...watching }), {
  'x-name': 'WorkspaceInput',
  additionalProperties: false,
  examples: [{ name: 'Acme Inc.', maxActiveKeys: 100 }],
});
export type WorkspaceInput = Static<typeof WorkspaceInput>;

/** As it is given, without the formats that only the validation of requests knows. */
const shownScopeFields = {
  scope: Type.String({ description: 'Scope that keys may have.', examples: ['sources:read'] }),
  title: Type.String({ description: 'Scope title, for people.', examples: ['Read sources'] }),
  description: Type.String({
    description: 'Scope description, for people.',
    examples: ['List and read all sources.'],
  }),
};
const ShownScope = Type.Object(shownScopeFields, { 'x-name': 'AvailableScope' });

export const Workspace = Type.Object(
  {
    id: Type.String({ description: 'Workspace id: your own tenant id.', examples: ['acme'] }),
    name: nullable(Type.String(), {
      description: 'Workspace name, for people.',
      examples: ['Acme Inc.'],
    }),
    status: open(oneOf('WorkspaceStatus', ['active', 'suspended']), {
      description: 'Workspace status.',
      examples: ['active'],
    }),
    ...policies,
    ...watching,
    leakResponse: open(LeakResponse, {
      description: 'What happens to a key whose string was reported as leaked.',
      examples: ['revoke'],
    }),
    // Answers promise no limits: a row that was written otherwise is shown as it is.
    maxActiveKeys: nullable(Type.Integer(), {
      description: 'Maximum number of active keys: neither revoked nor expired. Null: no limit.',
      examples: [100],
    }),
    maxLifetimeSeconds: nullable(Type.Integer(), {
      description: 'Longest lifetime of a key from now, in seconds. Null: no limit.',
      examples: [7776000],
    }),
    availableScopes: nullable(Type.Array(ShownScope), {
      description:
        'Scopes that keys may have; others are refused, and a wildcard covers these alone. Null: no ' +
        'restriction.',
      examples: [null],
    }),
    createdAt: time('When the workspace was created, RFC 3339 in UTC.'),
    updatedAt: time('When the workspace last changed.'),
  },
  { $id: 'Workspace', description: 'The tenant that owns keys, and its policies.' },
);
export type Workspace = Static<typeof Workspace>;

export const WorkspacePath = Type.Object({
  id: Type.String({
    pattern: WORKSPACE_ID_PATTERN,
    description: 'Workspace id: your own tenant id.',
    examples: ['acme'],
  }),
});

export const ListWorkspaces = Type.Object(
  { limit: PageLimit, cursor: Type.Optional(Cursor) },
  { additionalProperties: false },
);
export type ListWorkspaces = Static<typeof ListWorkspaces>;

export const WorkspacePage = Type.Object(
  {
    data: Type.Array(ref(Workspace), { description: 'Workspaces, by id.' }),
    nextCursor: NextCursor,
  },
  { $id: 'WorkspacePage', description: 'One page of workspaces.' },
);
export type WorkspacePage = Static<typeof WorkspacePage>;
