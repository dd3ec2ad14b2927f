import { and, count, eq, gt, isNull, or } from 'drizzle-orm';
import { distance } from 'fastest-levenshtein';
import type { Orm, Transaction } from '../db/database.ts';
import { keys, workspaces } from '../db/schema.ts';
import { covers } from '../domain/scopes.ts';
import { invalidField, KeywardError } from '../errors.ts';
import type { Lifetime } from '../http/lifetime.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';

/** What a workspace asks of its keys, checked where they are made or changed. */
export type WorkspacePolicies = typeof workspaces.$inferSelect;

export async function policiesOf(db: Orm | Transaction, id: string): Promise<WorkspacePolicies> {
  const [found] = await db
    .select()
    .from(workspaces)
    .where(and(eq(workspaces.id, id), isNull(workspaces.deletedAt)));
  if (!found) throw new KeywardError('NOT_FOUND', `No workspace ${id}; create it first with PUT.`);
  return found;
}

/**
 * The policies for a key that is being made, held until the transaction ends: the workspace can be
 * neither deleted nor changed before the key is there. Where room will be counted the row is locked
 * for that at once, so that no two who hold it wait for each other.
 */
export async function lockWorkspace(tx: Transaction, id: string): Promise<WorkspacePolicies> {
  const { maxActiveKeys } = await policiesOf(tx, id);
  const [held] = await tx
    .select()
    .from(workspaces)
    .where(and(eq(workspaces.id, id), isNull(workspaces.deletedAt)))
    .for(maxActiveKeys === null ? 'key share' : 'update');
  if (!held) throw new KeywardError('NOT_FOUND');
  return held;
}

/** The plan gate: new key strings are made only where the workspace has API access. */
export function requireApiAccess({ apiAccess }: WorkspacePolicies): void {
  if (!apiAccess) throw new KeywardError('UPGRADE_REQUIRED');
}

/**
 * Room for more active keys. The workspace's row is locked until the transaction ends, so that
 * of many at the same moment exactly as many get through as there is room.
 */
export async function enforceKeyQuota(
  { tx, at }: WriteContext,
  id: string,
  wanted = 1,
): Promise<void> {
  const { maxActiveKeys } = await policiesOf(tx, id);
  if (maxActiveKeys === null) return;
  await tx
    .select({ id: workspaces.id })
    .from(workspaces)
    .where(eq(workspaces.id, id))
    .for('update');
  const limit = (await policiesOf(tx, id)).maxActiveKeys;
  if (limit !== null && (await activeKeys(tx, id, at)) + wanted > limit) {
    throw new KeywardError('KEY_LIMIT_REACHED', `The workspace may have ${limit} active keys.`);
  }
}

export function checkLifetime(policies: WorkspacePolicies, wished: Lifetime, at: Date): void {
  const { requireExpiry, maxLifetimeSeconds } = policies;
  if (wished.expiresAt === null) {
    if (!requireExpiry && maxLifetimeSeconds === null) return;
    throw invalidField('/body/expiresAt', 'is required: keys of this workspace must expire');
  }
  const lifetimeMs = wished.expiresAt.getTime() - at.getTime();
  if (maxLifetimeSeconds !== null && lifetimeMs > maxLifetimeSeconds * 1000) {
    throw invalidField('/body/expiresAt', `must be at most ${maxLifetimeSeconds} seconds from now`);
  }
}

/** Refuses scopes that the workspace does not know, and says what may have been meant. */
export function checkScopes({ availableScopes }: WorkspacePolicies, scopes: readonly string[]) {
  if (availableScopes === null) return;
  const known = availableScopes.map(({ scope }) => scope);
  scopes.forEach((scope, index) => {
    if (known.some((one) => one === scope || covers(scope, one) || covers(one, scope))) return;
    const nearest = nearestTo(scope, known);
    const hint = nearest === null ? '' : `; did you mean ${nearest}?`;
    throw invalidField(`/body/scopes/${index}`, `is not a scope of this workspace${hint}`);
  });
}

const ALWAYS_MUTABLE = new Set(['name', 'description', 'enabled']);

export function checkMutability({ immutableKeys }: WorkspacePolicies, patch: object): void {
  if (!immutableKeys) return;
  const fixed = Object.keys(patch).find((field) => !ALWAYS_MUTABLE.has(field));
  if (fixed === undefined) return;
  const detail = 'cannot change: keys of this workspace are immutable; create a new key instead';
  throw new KeywardError('KEY_IMMUTABLE', detail, [{ pointer: `/body/${fixed}`, detail }]);
}

async function activeKeys(tx: Transaction, workspaceId: string, at: Date): Promise<number> {
  const [row] = await tx
    .select({ active: count() })
    .from(keys)
    .where(
      and(
        eq(keys.workspaceId, workspaceId),
        isNull(keys.deletedAt),
        isNull(keys.revokedAt),
        or(isNull(keys.expiresAt), gt(keys.expiresAt, at)),
      ),
    );
  return row?.active ?? 0;
}

function nearestTo(scope: string, known: readonly string[]): string | null {
  const [nearest] = known.toSorted((a, b) => distance(scope, a) - distance(scope, b));
  return nearest ?? null;
}
