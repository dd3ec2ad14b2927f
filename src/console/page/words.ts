import type { Permission, Schemas } from './api-types.ts';
import { plural } from './format.ts';

const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;

/** Such as “a minute” or “90 seconds”. */
export function windowText(seconds: number): string {
  for (const [unit, size] of UNITS) {
    if (seconds % size === 0) return seconds === size ? `1 ${unit}` : plural(seconds / size, unit);
  }
  return plural(seconds, 'second');
}

/** Each verdict: what it says of a key, and what it means for the request. */
const VERDICTS: Record<string, readonly [text: string, meaning: string]> = {
  VALID: ['Valid', 'The request may go on.'],
  NOT_FOUND: [
    'Not found',
    'No key has this string: it was mistyped, has ended, or belongs to another workspace.',
  ],
  REVOKED: ['Revoked', 'The key was revoked, for ever.'],
  WORKSPACE_SUSPENDED: ['Workspace suspended', 'The workspace of the key is suspended.'],
  DISABLED: ['Disabled', 'The key is switched off.'],
  NOT_YET_VALID: ['Not yet valid', 'The key is not valid yet.'],
  EXPIRED: ['Expired', 'The key has expired.'],
  IP_NOT_ALLOWED: ['Address not allowed', 'The key is not accepted from this address.'],
  INSUFFICIENT_SCOPE: ['Scope missing', 'The key lacks a scope that was asked for.'],
  RESOURCE_NOT_ALLOWED: ['Resource not allowed', 'The key may not touch this resource.'],
  RATE_LIMITED: ['Rate limited', 'The key has used up its rate limit for now.'],
  CREDITS_EXHAUSTED: ['Credits exhausted', 'The key has no credits left.'],
};
export const verdictText = (code: string) => VERDICTS[code]?.[0] ?? code;
export const verdictMeaning = (code: string) =>
  VERDICTS[code]?.[1] ?? 'Treat a verdict that you do not know as not valid.';

/** What is checked, by the verdict of its failure. */
const CHECKS: Record<string, string> = {
  REVOKED: 'Is not revoked',
  WORKSPACE_SUSPENDED: 'Its workspace is not suspended',
  DISABLED: 'Is enabled',
  NOT_YET_VALID: 'Has started',
  EXPIRED: 'Has not expired',
  IP_NOT_ALLOWED: 'May be used from the address',
  INSUFFICIENT_SCOPE: 'Has the scopes',
  RESOURCE_NOT_ALLOWED: 'May touch the resource',
  RATE_LIMITED: 'Is within its rate limits',
  CREDITS_EXHAUSTED: 'Has credits left',
};
export const checkText = (code: string) => CHECKS[code] ?? code;

/** What each entry of the audit log says; beside what it is about, or below the name of its group. */
const ACTIONS: Record<Schemas['AuditAction'], string> = {
  'key.created': 'Created',
  'key.imported': 'Imported',
  'key.updated': 'Changed',
  'key.rotated': 'Rotated',
  'key.grace_ended': 'Grace ended',
  'key.credits_changed': 'Credits changed',
  'key.revoked': 'Revoked',
  'key.deleted': 'Deleted',
  'owner.personal_data_erased': 'Personal data erased',
  'workspace.created': 'Created',
  'workspace.updated': 'Changed',
  'workspace.suspended': 'Suspended',
  'workspace.resumed': 'Resumed',
  'workspace.deleted': 'Deleted',
  'management_key.created': 'Created',
  'management_key.updated': 'Changed',
  'management_key.rotated': 'Rotated',
  'management_key.revoked': 'Revoked',
  'webhook.created': 'Created',
  'webhook.updated': 'Changed',
  'webhook.secret_rotated': 'Secret rotated',
  'webhook.pinged': 'Test event sent',
  'webhook.redelivered': 'Events sent again',
  'webhook.disabled': 'Disabled by Keyward',
  'webhook.deleted': 'Deleted',
  'alert.key_expiring': 'Key expires soon',
  'alert.key_expired': 'Key expired',
  'alert.management_key_expiring': 'Management key expires soon',
  'alert.management_key_expired': 'Management key expired',
  'alert.rotation_due': 'Rotation due',
  'alert.key_unused': 'Key unused',
  'alert.ended_string_used': 'Ended string used',
  'alert.usage_unusual': 'Unusual use',
  'alert.limited_often': 'Limited often',
  'alert.credits_low': 'Credits low',
  'alert.credits_exhausted': 'Credits exhausted',
  'alert.wrong_keys': 'Many wrong keys',
  'alert.key_leaked': 'Key leaked',
  'alert.webhook_disabled': 'Webhook disabled',
  'alert.acknowledged': 'Alert acknowledged',
  'alert.ended': 'Alert ended',
  'audit.pruned': 'Old entries dropped',
  'audit.break': 'Break in the chain',
  'audit.repaired': 'Chain repaired',
};

/** By what comes before the dot. */
const GROUPS: Record<string, string> = {
  key: 'Keys',
  owner: 'Owners',
  workspace: 'Workspaces',
  management_key: 'Management keys',
  webhook: 'Webhooks',
  alert: 'Alerts',
  audit: 'Audit log',
};

export const actionText = (action: string) => (isAction(action) ? ACTIONS[action] : action);
export const groupText = (action: string) => GROUPS[action.split('.')[0] ?? ''] ?? 'Others';

function isAction(name: string): name is Schemas['AuditAction'] {
  return Object.hasOwn(ACTIONS, name);
}

/** Those that this page knows, of the ones that are named. */
export function knownActions(names: readonly string[] = Object.keys(ACTIONS)) {
  return names.filter(isAction);
}

/** Every action, by its group. */
export const ACTION_GROUPS = Map.groupBy(knownActions(), groupText);

/** What each permission lets its holder do; docs/permissions.md has every call. */
const PERMISSIONS: readonly (readonly [Permission, string])[] = [
  ['keys:read', 'See keys and the hygiene report'],
  ['keys:write', 'Create, change, rotate and import keys'],
  ['keys:revoke', 'Revoke and delete keys'],
  ['keys:verify', 'Verify keys, as services do'],
  ['usage:read', 'See usage'],
  ['audit:read', 'See the audit log'],
  ['workspaces:read', 'See workspaces and their policies'],
  ['workspaces:write', 'Create, change, suspend and delete workspaces'],
  ['management:read', 'See management keys'],
  ['management:write', 'Create, change, rotate and revoke management keys'],
  ['alerts:read', 'See alerts'],
  ['alerts:write', 'Acknowledge alerts'],
  ['webhooks:read', 'See webhooks and what was sent to them'],
  ['webhooks:write', 'Create, change and delete webhooks, and send events again'],
];
export function permissionText(permission: Permission): string {
  return PERMISSIONS.find(([known]) => known === permission)?.[1] ?? '';
}

/** The permissions that this page knows, of those that are named. */
export function knownPermissions(names: readonly string[]): Permission[] {
  return PERMISSIONS.flatMap(([known]) => (names.includes(known) ? [known] : []));
}

/** “revokeNote” as people read it. */
export function fieldText(name: string): string {
  if (name.startsWith('metadata.')) return name;
  if (name === 'graceSeconds') return 'grace';
  const words = name.replace(/Ips$/, ' addresses').replace(/Id$/, '').replaceAll(/[A-Z]/g, ' $&');
  return words.toLowerCase();
}
