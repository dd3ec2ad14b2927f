import { distance } from 'fastest-levenshtein';
import { covers } from '../domain/scopes.ts';
import { invalidField, KeywardError } from '../errors.ts';
import type { Lifetime } from '../http/lifetime.ts';
import type { WorkspacePolicies } from './workspace-policies.ts';

/** New key strings are issued only if the workspace has API access. */
export function requireApiAccess({ apiAccess }: WorkspacePolicies): void {
  if (!apiAccess) throw new KeywardError('UPGRADE_REQUIRED');
}

export function checkLifetime(policies: WorkspacePolicies, requested: Lifetime, at: Date): void {
  const { requireExpiry, maxLifetimeSeconds } = policies;
  if (requested.expiresAt === null) {
    if (!requireExpiry && maxLifetimeSeconds === null) return;
    throw invalidField('/body/expiresAt', 'is required: keys of this workspace must expire');
  }
  const lifetimeMs = requested.expiresAt.getTime() - at.getTime();
  if (maxLifetimeSeconds !== null && lifetimeMs > maxLifetimeSeconds * 1000) {
    throw invalidField('/body/expiresAt', `must be at most ${maxLifetimeSeconds} seconds from now`);
  }
}

/**
 * Refuses scopes that the workspace does not know, and suggests the nearest known one. Those that the
 * key has already may stay: they grant nothing that is not available.
 */
export function checkScopes(
  { availableScopes }: WorkspacePolicies,
  scopes: readonly string[],
  held: readonly string[] = [],
) {
  if (availableScopes === null) return;
  const known = availableScopes.map(({ scope }) => scope);
  scopes.forEach((scope, index) => {
    if (held.includes(scope)) return;
    if (known.some((one) => one === scope || covers(scope, one) || covers(one, scope))) return;
    const nearest = nearestTo(scope, known);
    const hint = nearest === null ? '' : `; did you mean ${nearest}?`;
    throw invalidField(`/body/scopes/${index}`, `is not a scope of this workspace${hint}`);
  });
}

const ALWAYS_MUTABLE = new Set(['name', 'description', 'enabled']);

export function checkMutability(
  { immutableKeys }: WorkspacePolicies,
  fields: readonly string[],
): void {
  if (!immutableKeys) return;
  const fixed = fields.find((field) => !ALWAYS_MUTABLE.has(field));
  if (fixed === undefined) return;
  const detail = 'cannot change: keys of this workspace are immutable; create a new key instead';
  throw new KeywardError('KEY_IMMUTABLE', detail, [{ pointer: `/body/${fixed}`, detail }]);
}

function nearestTo(scope: string, known: readonly string[]): string | null {
  const [nearest] = known.toSorted((a, b) => distance(scope, a) - distance(scope, b));
  return nearest ?? null;
}
