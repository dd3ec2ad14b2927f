import { distance } from 'fastest-levenshtein';
import { type AvailableScope, ScopeIndex } from '../domain/scopes.ts';
import { invalidField, KeywardError, refusedFields } from '../errors.ts';
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

export interface ScopeCheck {
  /** Scopes that the key has already may stay: they grant nothing that is not available. */
  held?: readonly string[];
  /** Whether to suggest the nearest scope, which takes a distance to each that is available. */
  suggest: boolean;
}

/** Refuses scopes that the workspace does not know. */
export function checkScopes(
  { availableScopes }: Pick<WorkspacePolicies, 'availableScopes'>,
  scopes: readonly string[],
  { held = [], suggest }: ScopeCheck,
): void {
  if (availableScopes === null) return;
  const known = indexOf(availableScopes);
  const own = new Set(held);
  scopes.forEach((scope, index) => {
    if (own.has(scope) || known.covers(scope) || known.hasWithin(scope)) return;
    const nearest = suggest ? nearestTo(scope, availableScopes) : null;
    const hint = nearest === null ? '' : `; did you mean ${nearest}?`;
    throw invalidField(`/body/scopes/${index}`, `is not a scope of this workspace${hint}`);
  });
}

const indexes = new WeakMap<readonly AvailableScope[], ScopeIndex>();

/** Made once for all the items of an import. */
function indexOf(availableScopes: readonly AvailableScope[]): ScopeIndex {
  const known = indexes.get(availableScopes);
  if (known) return known;
  const index = new ScopeIndex(availableScopes.map(({ scope }) => scope));
  indexes.set(availableScopes, index);
  return index;
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
  throw refusedFields('KEY_IMMUTABLE', [{ pointer: `/body/${fixed}`, detail }]);
}

/** Compared for one hint: what people type is short, and a comparison takes time by its length. */
const MAX_COMPARED_CHARACTERS = 4096;

function nearestTo(wanted: string, known: readonly AvailableScope[]): string | null {
  let nearest: { scope: string | null; distance: number } = { scope: null, distance: Infinity };
  let compared = 0;
  for (const { scope } of known) {
    compared += scope.length;
    if (compared > MAX_COMPARED_CHARACTERS) break;
    const apart = distance(wanted, scope);
    if (apart < nearest.distance) nearest = { scope, distance: apart };
  }
  return nearest.scope;
}
