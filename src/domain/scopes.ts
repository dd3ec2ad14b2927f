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

/** What a key is granted; a wildcard covers the available scopes alone (null: any scope). */
export interface Grants {
  scopes: readonly string[];
  availableScopes: readonly string[] | null;
}

/** The required scopes that the key is not granted. */
export function missingScopes(granted: Grants, required: readonly string[]): string[] {
  return required.filter((scope) => !isGranted(granted, scope));
}

export function isGranted({ scopes, availableScopes }: Grants, scope: string): boolean {
  if (scopes.includes(scope)) return true;
  const isAvailable = availableScopes?.some((available) => covers(available, scope)) ?? true;
  return isAvailable && scopes.some((grant) => covers(grant, scope));
}

/** Whether a scope that may end in a wildcard includes another one. */
export function covers(grant: string, scope: string): boolean {
  if (grant === scope || grant === '*') return true;
  return grant.endsWith(':*') && scope.startsWith(grant.slice(0, -1));
}
