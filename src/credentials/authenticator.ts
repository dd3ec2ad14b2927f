import { bearerToken } from '../domain/bearer-token.ts';
import { type Caller, type IdentifiedCaller, ROOT_CALLER } from '../domain/caller.ts';
import { processDigest } from '../domain/process-digest.ts';
import type { RootKey } from '../domain/root-key.ts';
import type { VerdictCounter } from '../domain/verdict.ts';
import { KeywardError } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { isActive } from './credential.ts';
import type { CredentialResolver } from './credential-resolver.ts';

export interface AuthenticatorDependencies {
  resolver: CredentialResolver;
  rootKey: RootKey | null;
  usage: VerdictCounter;
  clock: Clock;
}

/** Authenticates callers by their management key, which is resolved and counted like any other key. */
export class Authenticator {
  readonly #deps: AuthenticatorDependencies;

  constructor(deps: AuthenticatorDependencies) {
    this.#deps = deps;
  }

  /** The caller behind an `Authorization` header, counted; UNAUTHENTICATED if there is none. */
  async authenticate(authorization: string | undefined): Promise<Caller> {
    const { caller, countUse } = await this.identify(authorization);
    await countUse();
    return caller;
  }

  /** The same, where the use of the management key is counted together with something else. */
  async identify(authorization: string | undefined): Promise<IdentifiedCaller> {
    const { resolver, rootKey, usage, clock } = this.#deps;
    const presented = bearerToken(authorization);
    if (presented === null) throw new KeywardError('UNAUTHENTICATED');
    const digest = processDigest(presented);
    if (rootKey?.hasDigest(digest)) return { caller: ROOT_CALLER, countUse: () => {} };
    const credential = await resolver.resolveManagementKey(presented, digest);
    if (!credential || !isActive(credential, clock.now())) {
      throw new KeywardError('UNAUTHENTICATED');
    }
    const { keyId, ref, caller } = credential;
    return { caller, countUse: () => usage.count(keyId, ref, 'VALID', clock.now()) };
  }

  /** The caller as memory knows it; null if the database would have to be asked. */
  recognize(authorization: string | undefined): Caller | null {
    const { resolver, rootKey, clock } = this.#deps;
    const presented = bearerToken(authorization);
    if (presented === null) return null;
    const digest = processDigest(presented);
    if (rootKey?.hasDigest(digest)) return ROOT_CALLER;
    const credential = resolver.recallManagementKey(presented, digest);
    return credential && isActive(credential, clock.now()) ? credential.caller : null;
  }

  isRootKey(presented: string): boolean {
    return this.#deps.rootKey?.isPresented(presented) ?? false;
  }
}
