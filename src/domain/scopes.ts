/**
 * Scopes are 1 to 8 segments joined by `:`. A granted trailing `*` stands for one or more
 * segments; `*` alone grants everything.
 */
const SEGMENT = '[A-Za-z0-9._-]+';
export const SCOPE_MAX_LENGTH = 128;
export const REQUIRED_SCOPE_PATTERN = `^${SEGMENT}(:${SEGMENT}){0,7}$`;
export const GRANTED_SCOPE_PATTERN = `^(\\*|${SEGMENT}(:${SEGMENT}){0,7}|${SEGMENT}(:${SEGMENT}){0,6}:\\*)$`;

/** A scope that a workspace knows, as its dashboards show it. */
export interface AvailableScope {
  scope: string;
  title: string;
  description: string;
}

/** The required scopes that none of the granted ones covers. */
export function missingScopes(granted: readonly string[], required: readonly string[]): string[] {
  return required.filter((scope) => !grants(granted, scope));
}

export function grants(granted: readonly string[], scope: string): boolean {
  return granted.some((grant) => covers(grant, scope));
}

/** Whether a granted scope (which may end in a wildcard) includes another one. */
export function covers(grant: string, scope: string): boolean {
  if (grant === scope || grant === '*') return true;
  return grant.endsWith(':*') && scope.startsWith(grant.slice(0, -1));
}
