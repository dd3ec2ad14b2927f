import { type Caller, ROOT_CALLER } from '../domain/caller.ts';
import { MANAGEMENT_PREFIX } from '../domain/key-string.ts';
import { bearerOf, Problem } from '../http/problem.ts';
import { isGone, type ManagementState } from './state.ts';
import { type EngineDependencies, nativeRef } from './verifier.ts';

/**
 * Knows callers by the management key that they present: proven, vouched for by the fence and
 * counted like any other key. Of the root key only a digest is held.
 */
export class Authenticator {
  readonly #its: EngineDependencies;
  readonly #rootDigest: string | null;

  constructor(dependencies: EngineDependencies, rootKey: string | undefined) {
    this.#its = dependencies;
    this.#rootDigest = rootKey === undefined ? null : dependencies.prover.digestOf(rootKey);
  }

  /** The caller behind an `Authorization` header, or a 401. */
  async authenticate(authorization: string | undefined): Promise<Caller> {
    const presented = bearerOf(authorization);
    if (presented === null) throw new Problem('UNAUTHENTICATED');
    const digest = this.#its.prover.digestOf(presented);
    if (digest === this.#rootDigest) return ROOT_CALLER;
    const state = await this.#find(presented, digest);
    if (!state || !this.#isInForce(state)) throw new Problem('UNAUTHENTICATED');
    await this.#its.usage.count(state.keyId, state.ref, 'VALID', this.#its.clock.now());
    return state.caller;
  }

  /** Customer keys never get here: their prefix is another, and so is what their state is. */
  async #find(presented: string, digest: string): Promise<ManagementState | null> {
    if (!presented.startsWith(`${MANAGEMENT_PREFIX}_`)) return null;
    const ref = nativeRef(this.#its, presented, digest);
    const state = ref === null ? null : await this.#its.states.get(ref);
    if (state?.kind !== 'management') return null;
    return (await this.#its.prover.proves(state, presented, digest)) ? state : null;
  }

  #isInForce(state: ManagementState): boolean {
    const now = this.#its.clock.now();
    return !isGone(state, now) && !state.revoked && (state.expiresAt ?? Infinity) > now;
  }
}
