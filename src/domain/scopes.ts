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
  const granted = scopeIndex(scopes);
  if (granted.has(scope)) return true;
  const isAvailable = availableScopes === null || scopeIndex(availableScopes).covers(scope);
  return isAvailable && granted.covers(scope);
}

/**
 * A list of scopes prepared for questions, so that each takes as many steps as a scope has segments,
 * however long the list is.
 */
export class ScopeIndex {
  readonly #scopes: ReadonlySet<string>;
  /** What stands before a `*` that some scope of the list is within; made when it is asked for. */
  #beginnings: ReadonlySet<string> | null = null;

  constructor(scopes: readonly string[]) {
    this.#scopes = new Set(scopes);
  }

  has(scope: string): boolean {
    return this.#scopes.has(scope);
  }

  /** Whether a scope of the list, which may end in a wildcard, includes another one. */
  covers(scope: string): boolean {
    if (this.has(scope) || this.has('*')) return true;
    return beginningsOf(scope).some((beginning) => this.has(`${beginning}*`));
  }

  /** Whether a scope that may end in a wildcard includes any of the list. */
  hasWithin(grant: string): boolean {
    if (this.has(grant)) return true;
    if (grant === '*') return this.#scopes.size > 0;
    if (!grant.endsWith(':*')) return false;
    this.#beginnings ??= new Set([...this.#scopes].flatMap(beginningsOf));
    return this.#beginnings.has(grant.slice(0, -1));
  }
}

const indexes = new WeakMap<readonly string[], ScopeIndex>();

/** The index of a list, made once for as long as the list is in use. */
function scopeIndex(scopes: readonly string[]): ScopeIndex {
  const known = indexes.get(scopes);
  if (known) return known;
  const index = new ScopeIndex(scopes);
  indexes.set(scopes, index);
  return index;
}

/** `a:` and `a:b:` of `a:b:c`. */
function beginningsOf(scope: string): string[] {
  const beginnings: string[] = [];
  for (let at = scope.indexOf(':'); at !== -1; at = scope.indexOf(':', at + 1)) {
    beginnings.push(scope.slice(0, at + 1));
  }
  return beginnings;
}
