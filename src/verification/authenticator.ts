import { createHash, timingSafeEqual } from 'node:crypto';
import { type Caller, ROOT_CALLER } from '../domain/caller.ts';
import { hasValidChecksum, MANAGEMENT_PREFIX, parseKey } from '../domain/key-string.ts';
import { bearerOf, Problem } from '../http/problem.ts';
import { isGone, type ManagementState } from './state.ts';
import type { EngineDependencies } from './verifier.ts';

/**
 * Knows callers by the management key that they present: proven, vouched for by the fence and
 * counted like any other key. Of the root key only a digest is held.
 */
export class Authenticator {
  readonly #its: EngineDependencies;
  readonly #rootDigest: Buffer | null;

  constructor(dependencies: EngineDependencies, rootKey: string | undefined) {
    this.#its = dependencies;
    this.#rootDigest = rootKey === undefined ? null : digest(rootKey);
  }

  /** The caller behind an `Authorization` header, or a 401. */
  async authenticate(authorization: string | undefined): Promise<Caller> {
    const presented = bearerOf(authorization);
    if (presented === null) throw new Problem('UNAUTHENTICATED');
    if (this.#isRoot(presented)) return ROOT_CALLER;
    const state = await this.#find(presented);
    if (!state || !this.#isInForce(state)) throw new Problem('UNAUTHENTICATED');
    this.#its.usage.count(state.keyId, state.ref, 'VALID', this.#its.clock.now());
    const { keyId, permissions, workspaceId } = state;
    return { type: 'management_key', id: keyId, permissions, workspaceId };
  }

  #isRoot(presented: string): boolean {
    return this.#rootDigest !== null && timingSafeEqual(digest(presented), this.#rootDigest);
  }

  /** Customer keys never get here: their prefix is another, and so is what their state is. */
  async #find(presented: string): Promise<ManagementState | null> {
    const { states, prover, checksumKey } = this.#its;
    const parsed = parseKey(presented);
    if (parsed?.prefix !== MANAGEMENT_PREFIX) return null;
    if (!hasValidChecksum(presented, checksumKey)) return null;
    const state = await states.get(parsed.ref);
    if (state?.kind !== 'management') return null;
    return (await prover.proves(state, presented)) ? state : null;
  }

  #isInForce(state: ManagementState): boolean {
    const now = this.#its.clock.now();
    return !isGone(state, now) && !state.revoked && (state.expiresAt ?? Infinity) > now;
  }
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
