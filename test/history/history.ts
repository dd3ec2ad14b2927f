/**
 * The record of a run: one JSON object per line. Times are milliseconds of the recorder's monotonic
 * clock; `wall` is its wall clock at the start, for comparison with times of the service.
 */
export type Entry = Run | Verification | ChangeCall | Fault | Ending | Flush | Received | Evidence;

interface Run {
  type: 'run';
  seed: number;
  bug: string | null;
}

interface Call {
  /** Sent as X-Request-Id. */
  id: string;
  instance: number;
  start: number;
  end: number;
  wall: number;
  /** Null if no answer came, so that its outcome is unknown. */
  status: number | null;
  /** The ref of the management key that sent it; null for the root key. */
  as: string | null;
}

/** The access that a verification requests. */
export interface RequestedAccess {
  scope?: string;
  resource?: string;
  ip?: string;
  cost: number;
}

export interface Verification extends Call {
  type: 'verify';
  /** The ref of the presented string. */
  ref: string;
  /** A string that was never issued, with the ref of one that was. */
  forged: boolean;
  requested: RequestedAccess;
  code: string | null;
}

export const OPERATIONS = {
  create: 'key.created',
  patch: 'key.updated',
  rotate: 'key.rotated',
  'end-grace': 'key.grace_ended',
  revoke: 'key.revoked',
  'bulk-revoke': 'key.revoked',
  delete: 'key.deleted',
  credits: 'key.credits_changed',
  'create-workspace': 'workspace.created',
  suspend: 'workspace.suspended',
  resume: 'workspace.resumed',
  'create-management': 'management_key.created',
  'rotate-management': 'management_key.rotated',
  'revoke-management': 'management_key.revoked',
} as const;
export type Operation = keyof typeof OPERATIONS;

/** The fields that a change sets. */
export interface ChangedFields {
  scopes?: string[];
  resources?: string[] | null;
  allowedIps?: string[] | null;
  /** Epoch milliseconds. */
  expiresAt?: number | null;
  enabled?: boolean;
  credits?: number;
  limit?: Limit | null;
  graceSeconds?: number;
  operation?: 'add' | 'set';
  amount?: number;
}

/** Each key has at most one. */
export interface Limit {
  units: number;
  windowSeconds: number;
}

export interface ChangeCall extends Call {
  type: 'change';
  op: Operation;
  workspaceId: string;
  /**
   * The ids of the keys, the workspace or the management key; that of a new one comes from the
   * answer.
   */
  targets: string[];
  changed: ChangedFields;
  /** The ref of the string in the answer. */
  newRef: string | null;
}

interface Fault {
  type: 'fault';
  kind: string;
  /** Whether it affected the connection of instances to the database. */
  isOfDatabase: boolean;
  instance: number;
  start: number;
  end: number;
}

/**
 * The end of a process: killed (-9), asked to stop (SIGTERM), or by itself, before it served or
 * after.
 */
export interface Ending {
  type: 'ending';
  instance: number;
  how: 'killed' | 'asked' | 'at-start' | 'by-itself';
  exitCode: number | null;
  /** When that process was started. */
  born: number;
  at: number;
}

/** A commit of counters whose answer was passed on to its instance. */
export interface Flush {
  type: 'flush';
  instance: number;
  /** The number of the batch, which is repeated if the answer to a commit was lost. */
  sequence: number;
  at: number;
}

/** An attempt to deliver an event to the webhook that takes all, as its receiver saw it. */
export interface Received {
  type: 'received';
  eventId: string;
  at: number;
  accepted: boolean;
}

/** What the database and the stopped processes show at the end of the run. */
export type Evidence =
  | AuditEntry
  | { type: 'count'; ref: string; code: string; count: number }
  | { type: 'balance'; keyId: string; credits: number | null }
  | { type: 'chain'; intact: boolean; said: string }
  | Delivery;

/** An event in the queue of the webhook that takes all. */
export interface Delivery {
  type: 'delivery';
  eventId: string;
  subject: string;
  /** In the order of the queue. */
  position: number;
  status: string;
}

export interface AuditEntry {
  type: 'audit';
  eventId: string;
  /** Whether the service made it by itself, as alerts are. */
  isOwn: boolean;
  workspaceId: string;
  sequence: number;
  /** Epoch milliseconds. */
  time: number;
  requestId: string;
  action: string;
  targetId: string;
  creditsBefore: number | null;
  creditsAfter: number | null;
}

/** A promise that the record shows to have been broken. */
export interface Violation {
  promise: 'P1' | 'P3' | 'P4' | 'P6' | 'answers' | 'events';
  what: string;
  /** The call that shows it, if there is one. */
  call?: string;
}

/** Answered definitely; the outcome of any other call is unknown. */
export function isAnswered(call: { status: number | null }): boolean {
  return call.status !== null && call.status < 500;
}

export function isAcknowledged(call: { status: number | null }): boolean {
  return call.status !== null && call.status < 300;
}
