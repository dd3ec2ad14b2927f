import { bearerToken } from '../domain/bearer-token.ts';
import { type Caller, ROOT_CALLER } from '../domain/caller.ts';
import { MANAGEMENT_PREFIX } from '../domain/key-string.ts';
import { KeywardError } from '../errors.ts';
import { nativeRef, type ResolverDependencies } from '../verification/verifier.ts';
import { isInactive, type ManagementCredential } from './credential.ts';

/**
 * Knows callers by the management key that they present: proven, vouched for by the fence and
 * counted like any other key. Of the root key only a digest is held.
 */
export class Authenticator {
  readonly #deps: ResolverDependencies;
  readonly #rootDigest: string | null;

  constructor(dependencies: ResolverDependencies, rootKey: string | undefined) {
    this.#deps = dependencies;
    this.#rootDigest = rootKey === undefined ? null : dependencies.prover.digestOf(rootKey);
  }

  /** The caller behind an `Authorization` header, or a 401. */
  async authenticate(authorization: string | undefined): Promise<Caller> {
    const presented = bearerToken(authorization);
    if (presented === null) throw new KeywardError('UNAUTHENTICATED');
    const digest = this.#deps.prover.digestOf(presented);
    if (digest === this.#rootDigest) return ROOT_CALLER;
    const state = await this.#find(presented, digest);
    if (!state || !this.#isInForce(state)) throw new KeywardError('UNAUTHENTICATED');
    await this.#deps.usage.count(state.keyId, state.ref, 'VALID', this.#deps.clock.now());
    return state.caller;
  }

  /** Customer keys never get here: their prefix is another, and so is what their state is. */
  async #find(presented: string, digest: string): Promise<ManagementCredential | null> {
    if (!presented.startsWith(`${MANAGEMENT_PREFIX}_`)) return null;
    const ref = nativeRef(this.#deps, presented, digest);
    const state = ref === null ? null : await this.#deps.states.get(ref);
    if (state?.kind !== 'management') return null;
    return (await this.#deps.prover.matches(state, presented, digest)) ? state : null;
  }

  #isInForce(state: ManagementCredential): boolean {
    const now = this.#deps.clock.now();
    return !isInactive(state, now) && !state.revoked && (state.expiresAt ?? Infinity) > now;
  }
}
