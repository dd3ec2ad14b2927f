import type { Authenticate } from '../call-context.ts';
import {
  type Credential,
  isInactive,
  type KeyCredential,
  POLICY_VERSION,
} from '../credentials/credential.ts';
import type { SecretVerifier } from '../credentials/secret-verifier.ts';
import { bearerToken } from '../domain/bearer-token.ts';
import type { Actor } from '../domain/caller.ts';
import { decide } from '../domain/decide.ts';
import { parseKey, startOf } from '../domain/key-string.ts';
import { KeywardError } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.ts';
import type { Verifier } from '../verification/verifier.ts';
import { giveUpKey, giveUpManagementKey } from './store.ts';

export interface WhoamiDependencies {
  finder: Pick<Verifier, 'find'>;
  prover: SecretVerifier;
  clock: Clock;
  authenticate: Authenticate;
  changes: UnitOfWork;
}

/** What a holder has: a key, with what lists show of a native one, or the root key. */
export type PresentedCredential = { state: Credential; start: string | null } | 'root';

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

  /** What is behind the presented string, or the same 401 whatever is wrong with it. */
  async identify(authorization: string | undefined): Promise<PresentedCredential> {
    const { finder, prover, clock } = this.#deps;
    const presented = bearerToken(authorization);
    if (presented === null) throw unauthenticated();
    const digest = prover.digestOf(presented);
    const state = await finder.find(presented, digest);
    if (!state) return this.#identifyRoot(authorization);
    // Anyone may ask, so what it costs never delays a verification.
    const isProven = await prover.matches(state, presented, digest, 'low');
    if (!isProven || !isActive(state, clock.now())) throw unauthenticated();
    const parsed = parseKey(presented);
    return { state, start: parsed && startOf(parsed) };
  }

  /** The root key has no state. */
  async #identifyRoot(authorization: string | undefined): Promise<PresentedCredential> {
    const caller = await this.#deps.authenticate(authorization).catch(refuse);
    if (caller.type !== 'root') throw unauthenticated();
    return 'root';
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
    const { kind, keyId } = held.state;
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

function refuse(error: unknown): never {
  throw error instanceof KeywardError && error.code === 'UNAUTHENTICATED'
    ? unauthenticated()
    : error;
}

/** Valid by itself: wherever it is used from, and whatever for. */
function isActive(state: Credential, now: number): boolean {
  if (isInactive(state, now)) return false;
  if (state.kind === 'key') return isKeyActive(state, now);
  return !state.revoked && (state.expiresAt ?? Infinity) > now;
}

function isKeyActive(state: KeyCredential, now: number): boolean {
  if (state.minPolicyVersion > POLICY_VERSION) {
    throw new UnavailableError('this key has rules that only a newer version of Keyward knows');
  }
  const anywhere = { ...state, allowedIps: null, resources: null };
  return decide(anywhere, {}, now).code === 'VALID';
}
