import type { Authenticator } from '../credentials/authenticator.ts';
import { type Credential, isActive } from '../credentials/credential.ts';
import type { CredentialResolver } from '../credentials/credential-resolver.ts';
import { bearerToken } from '../domain/bearer-token.ts';
import type { Actor } from '../domain/caller.ts';
import { parseKey, startOf } from '../domain/key-string.ts';
import { KeywardError } from '../errors.ts';
import type { QuotaReader, QuotaState } from '../keys/quota-reader.ts';
import { revokeOwnKey } from '../keys/revocation.ts';
import type { Clock } from '../lib/clock.ts';
import { revokeOwnManagementKey } from '../management/revocation.ts';
import type { UnitOfWork, WriteContext } from '../unit-of-work/unit-of-work.ts';

export interface WhoamiDependencies {
  resolver: CredentialResolver;
  authenticator: Authenticator;
  quotas: QuotaReader;
  clock: Clock;
  unitOfWork: UnitOfWork;
}

/**
 * A valid key, with the start of its string if it is a native one, and the quota of a customer's
 * key; or the root key.
 */
export type PresentedKey =
  | { credential: Credential; start: string | null; quota: QuotaState | null }
  | 'root';

/** A call of a key's holder, who needs no permission. */
export interface PresentedKeyCall {
  authorization: string | undefined;
  requestId: string;
  ip: string;
}

/** What the holder of a key may know of it and do with it. Not counted as a use. */
export class WhoamiService {
  readonly #deps: WhoamiDependencies;

  constructor(deps: WhoamiDependencies) {
    this.#deps = deps;
  }

  now(): number {
    return this.#deps.clock.now();
  }

  /** What the presented string is; the same UNAUTHENTICATED whatever is wrong with it. */
  async identify(authorization: string | undefined): Promise<PresentedKey> {
    const presented = bearerToken(authorization);
    if (presented === null) throw unauthenticated();
    const credential = await this.#resolve(presented);
    if (credential === 'root') return credential;
    const parsed = parseKey(presented);
    const quota = await this.#quotaOf(credential);
    return { credential, start: parsed && startOf(parsed), quota };
  }

  /** The key that is presented, as it is cached. */
  async authenticate(authorization: string | undefined): Promise<Credential | 'root'> {
    const presented = bearerToken(authorization);
    if (presented === null) throw unauthenticated();
    return this.#resolve(presented);
  }

  async #resolve(presented: string): Promise<Credential | 'root'> {
    const { resolver, authenticator, clock } = this.#deps;
    if (authenticator.isRootKey(presented)) return 'root';
    const credential = await resolver.resolveAny(presented);
    if (!credential || !isActive(credential, clock.now())) throw unauthenticated();
    return credential;
  }

  /** Read only if there is something to read. */
  async #quotaOf(credential: Credential): Promise<QuotaState | null> {
    if (credential.kind !== 'key') return null;
    const { keyId, limits, creditsLimited } = credential;
    if (limits.length === 0 && !creditsLimited) return { rateLimits: [], credits: null };
    const quota = await this.#deps.quotas.read(keyId);
    if (!quota) throw unauthenticated();
    return quota;
  }

  /** Revokes the presented key for good, everywhere once answered. */
  async revokeOwnKey({ authorization, requestId, ip }: PresentedKeyCall): Promise<void> {
    const presented = await this.identify(authorization);
    if (presented === 'root') throw rootKeyStays();
    const { credential } = presented;
    const actor = holderOf(credential);
    const call = { caller: { id: actor.id }, actor, requestId, ip, idempotency: null };
    await this.#deps.unitOfWork.run(call, async (write) => {
      if (!(await revoke(write, credential, actor))) throw unauthenticated();
      return { body: {} };
    });
  }
}

/** False if the key was revoked meanwhile. */
function revoke(write: WriteContext, credential: Credential, by: Actor): Promise<boolean> {
  const { kind, keyId: id, workspaceId } = credential;
  return kind === 'key'
    ? revokeOwnKey(write, { workspaceId, id }, by)
    : revokeOwnManagementKey(write, id, by);
}

function holderOf({ kind, keyId: id }: Credential): Actor {
  return { type: kind === 'key' ? 'key' : 'management_key', id, onBehalfOf: null };
}

function unauthenticated(): KeywardError {
  return new KeywardError('UNAUTHENTICATED', 'Send a valid key: `Authorization: Bearer <key>`.');
}

function rootKeyStays(): KeywardError {
  return new KeywardError('FORBIDDEN', 'The root key cannot be revoked; unset KEYWARD_ROOT_KEY.');
}
