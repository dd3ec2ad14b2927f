import { workspaceScope } from '../call-context.ts';
import type { Transaction } from '../db/database.ts';
import { type Caller, DEFAULT_WORKSPACE } from '../domain/caller.ts';
import { toIso } from '../domain/time.ts';
import { invalidField, KeywardError } from '../errors.ts';
import { isExpired } from './presenter.ts';
import { lockMaker } from './store.ts';

/** The workspace of a new key; null, for all of them, only if that is said. Callers that are bound to one create keys of it alone. */
export function bindingOf(caller: Caller, requested: string | null | undefined): string | null {
  if (requested === undefined) return caller.workspaceId ?? DEFAULT_WORKSPACE;
  if (requested !== null) return workspaceScope(caller, requested);
  if (caller.workspaceId !== null) throw new KeywardError('NOT_FOUND');
  return null;
}

/** What a caller can hand out: neither more permissions than its own, nor for longer, nor faster. */
export interface Authority {
  permissions: Iterable<string>;
  /** Null: never. */
  expiresAt: Date | null;
  /** Null: no maximum. */
  maxRequestsPerSecond: number | null;
}

export function authorityOf(caller: Caller): Authority {
  const { permissions, expiresAt } = caller;
  return {
    permissions,
    expiresAt: expiresAt === null ? null : new Date(expiresAt),
    maxRequestsPerSecond: caller.maxRequestsPerSecond?.own ?? null,
  };
}

/**
 * The authority that a caller has in this transaction, locked until its end: what the caller makes is
 * committed before the caller is revoked or weakened, and then found, or not at all.
 */
export async function lockAuthority(tx: Transaction, caller: Caller, at: Date): Promise<Authority> {
  if (caller.type === 'root') return authorityOf(caller);
  const maker = await lockMaker(tx, caller.id);
  if (!maker || maker.revokedAt || isExpired(maker, at)) throw new KeywardError('UNAUTHENTICATED');
  return maker;
}

/** Refuses to hand out permissions that the caller lacks: a key's holder can do what the key may. */
export function requireGrantable({ permissions }: Authority, requested: readonly string[]): void {
  const held = new Set(permissions);
  const missing = requested.filter((permission) => !held.has(permission));
  if (missing.length === 0) return;
  throw new KeywardError(
    'FORBIDDEN',
    `You cannot grant permissions that you do not have: ${missing.join(', ')}.`,
  );
}

interface RequestedExpiry {
  expiresAt?: string | null | undefined;
}

/** Refuses an expiry later than one that bounds it. `input` says which field asked for it. */
export function requireExpiryWithin(
  bound: Date | null,
  expiresAt: Date | null,
  input: RequestedExpiry,
): void {
  if (bound === null || (expiresAt !== null && expiresAt <= bound)) return;
  const field = (input.expiresAt ?? null) === null ? 'expiresInSeconds' : 'expiresAt';
  const pointer = expiresAt === null ? '/body/expiresAt' : `/body/${field}`;
  const detail = `must not be later than ${toIso(bound)}, when a management key that created or rotated it, or that makes this call, expires`;
  throw invalidField(pointer, detail);
}

/** Null: no maximum, which is more than any. */
export function isFaster(one: number | null, other: number | null): boolean {
  return other !== null && (one === null || one > other);
}

/** Refuses a maximum of calls above one that bounds it. */
export function requireRateWithin(bound: number | null, requested: number | null): void {
  if (!isFaster(requested, bound)) return;
  const detail = `must not be more than ${bound}, the maximum of the management key behind it`;
  throw invalidField('/body/maxRequestsPerSecond', detail);
}
