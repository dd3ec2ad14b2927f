import type { Authenticator } from '../credentials/authenticator.ts';
import { type Credential, isActive } from '../credentials/credential.ts';
import type { CredentialResolver } from '../credentials/credential-resolver.ts';
import { bearerToken } from '../domain/bearer-token.ts';
import type { Actor } from '../domain/caller.ts';
import { parseKey, startOf } from '../domain/key-string.ts';
import { KeywardError } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.ts';
import { giveUpKey, giveUpManagementKey } from './store.ts';

export interface WhoamiDependencies {
  resolver: CredentialResolver;
  authenticator: Authenticator;
  clock: Clock;
  changes: UnitOfWork;
}

/** What a holder has: a key, with what lists show of a native one, or the root key. */
export type PresentedCredential = { credential: Credential; start: string | null } | 'root';

export interface PresentedKeyCall {
  authorization: string | undefined;
  requestId: string;
  ip: string;
}

/** What whoever holds a key may know of it and do with it, without any permission. Uncounted. */
export class WhoamiService {
  readonly #deps: WhoamiDependencies;

  constructor(dependencies: WhoamiDependencies) {
    this.#deps = dependencies;
  }

  /** What the presented string is; the same UNAUTHENTICATED whatever is wrong with it. */
  async identify(authorization: string | undefined): Promise<PresentedCredential> {
    const { resolver, authenticator, clock } = this.#deps;
    const presented = bearerToken(authorization);
    if (presented === null) throw unauthenticated();
    if (authenticator.isRootKey(presented)) return 'root';
    const credential = await resolver.resolveAny(presented);
    if (!credential || !isActive(credential, clock.now())) throw unauthenticated();
    const parsed = parseKey(presented);
    return { credential, start: parsed && startOf(parsed) };
  }

  /** Revokes the presented key for good, as its holder: effective at once. */
  async revokeOwnKey({ authorization, requestId, ip }: PresentedKeyCall): Promise<void> {
    const held = await this.identify(authorization);
    if (held === 'root') {
      throw new KeywardError(
        'FORBIDDEN',
        'The root key cannot be given up; unset KEYWARD_ROOT_KEY.',
      );
    }
    const { kind, keyId } = held.credential;
    const type = kind === 'key' ? 'key' : 'management_key';
    const actor: Actor = { type, id: keyId, onBehalfOf: null };
    const call = { caller: { id: keyId }, actor, requestId, ip, idempotency: null };
    await this.#deps.changes.run(call, async (change) => {
      const giveUp = kind === 'key' ? giveUpKey : giveUpManagementKey;
      if (!(await giveUp(change, keyId, actor))) throw unauthenticated();
      return { body: {} };
    });
  }
}

function unauthenticated(): KeywardError {
  return new KeywardError('UNAUTHENTICATED', 'Send a valid key: `Authorization: Bearer <key>`.');
}
