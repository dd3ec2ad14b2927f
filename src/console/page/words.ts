import type { Permission } from './api-types.ts';
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

const ACTIONS: Record<string, string> = {
  'key.created': 'Created',
  'key.imported': 'Imported',
  'key.updated': 'Changed',
  'key.revoked': 'Revoked',
  'key.deleted': 'Deleted',
  'key.rotated': 'Rotated',
  'key.grace_ended': 'Grace ended',
  'key.credits_changed': 'Credits changed',
};
export const actionText = (action: string) => ACTIONS[action] ?? action;

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
