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

/** What a verdict says of a key. */
const VERDICTS: Record<string, string> = {
  VALID: 'Valid',
  NOT_FOUND: 'Not found',
  REVOKED: 'Revoked',
  WORKSPACE_SUSPENDED: 'Workspace suspended',
  DISABLED: 'Disabled',
  NOT_YET_VALID: 'Not yet valid',
  EXPIRED: 'Expired',
  IP_NOT_ALLOWED: 'Address not allowed',
  INSUFFICIENT_SCOPE: 'Scope missing',
  RESOURCE_NOT_ALLOWED: 'Resource not allowed',
  RATE_LIMITED: 'Rate limited',
  CREDITS_EXHAUSTED: 'Credits exhausted',
};
export const verdictText = (code: string) => VERDICTS[code] ?? code;

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

/** “revokeNote” as people read it. */
export function fieldText(name: string): string {
  if (name.startsWith('metadata.')) return name;
  if (name === 'graceSeconds') return 'grace';
  const words = name.replace(/Ips$/, ' addresses').replace(/Id$/, '').replaceAll(/[A-Z]/g, ' $&');
  return words.toLowerCase();
}
