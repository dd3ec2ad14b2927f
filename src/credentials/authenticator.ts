import { bearerToken } from '../domain/bearer-token.ts';
import {
  type Caller,
  type IdentifiedCaller,
  type PresentedCaller,
  ROOT_CALLER,
} from '../domain/caller.ts';
import type { RootKey } from '../domain/root-key.ts';
import type { VerdictCounter } from '../domain/verdict.ts';
import { KeywardError } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { isActive, type ManagementCredential } from './credential.ts';
import type { CredentialResolver, Presented } from './credential-resolver.ts';

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
    const { usage, clock } = this.#deps;
    const { caller, uncounted } = await this.present(authorization).identify();
    if (uncounted) await usage.count(uncounted.keyId, uncounted.ref, 'VALID', clock.now());
    return caller;
  }

  /** The caller of a header that may be asked for it more than once. */
  present(authorization: string | undefined): PresentedCaller {
    const text = bearerToken(authorization);
    const presented = text === null ? null : this.#deps.resolver.present(text);
    return {
      recall: () => presented && this.#recall(presented),
      identify: () => this.#identify(presented),
    };
  }

  #recall(presented: Presented): IdentifiedCaller | null {
    if (this.#isRoot(presented)) return identifiedRoot();
    const credential = this.#deps.resolver.recallManagementKey(presented);
    return credential ? this.#identified(credential) : null;
  }

  async #identify(presented: Presented | null): Promise<IdentifiedCaller> {
    if (presented && this.#isRoot(presented)) return identifiedRoot();
    const credential = presented && (await this.#deps.resolver.resolveManagementKey(presented));
    const identified = credential && this.#identified(credential);
    if (!identified) throw new KeywardError('UNAUTHENTICATED');
    return identified;
  }

  #isRoot({ digest }: Presented): boolean {
    return this.#deps.rootKey?.hasDigest(digest) ?? false;
  }

  /** Null if the management key has ended. */
  #identified(credential: ManagementCredential): IdentifiedCaller | null {
    if (!isActive(credential, this.#deps.clock.now())) return null;
    return { caller: credential.caller, uncounted: credential };
  }

  isRootKey(presented: string): boolean {
    return this.#deps.rootKey?.isPresented(presented) ?? false;
  }
}

function identifiedRoot(): IdentifiedCaller {
  return { caller: ROOT_CALLER, uncounted: null };
}
