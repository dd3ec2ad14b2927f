import type { Changes } from '../changes/changes.ts';
import type { Actor } from '../domain/caller.ts';
import { decide } from '../domain/decide.ts';
import { parseKey, startOf } from '../domain/key-string.ts';
import type { Authenticate } from '../http/authentication.ts';
import { bearerOf, Problem } from '../http/problem.ts';
import type { Clock } from '../lib/clock.ts';
import { UnavailableError } from '../lib/unavailable.ts';
import type { Prover } from '../secrets/prover.ts';
import { giveUpKey, giveUpManagementKey } from './holder.store.ts';
import { isGone, type KeyState, POLICY_VERSION, type SecretState } from './state.ts';
import type { Verifier } from './verifier.ts';

export interface HolderDependencies {
  finder: Pick<Verifier, 'find'>;
  prover: Prover;
  clock: Clock;
  authenticate: Authenticate;
  changes: Changes;
}

/** What a holder has: a key, with what lists show of a native one, or the root key. */
export type Held = { state: SecretState; start: string | null } | 'root';

export interface HolderCall {
  authorization: string | undefined;
  requestId: string;
  ip: string;
}

/** What whoever holds a key may know of it and do with it, without any permission. Uncounted. */
export class Holder {
  readonly #its: HolderDependencies;

  constructor(dependencies: HolderDependencies) {
    this.#its = dependencies;
  }

  /** What is behind the presented string, or the same 401 whatever is wrong with it. */
  async identify(authorization: string | undefined): Promise<Held> {
    const { finder, prover, clock } = this.#its;
    const presented = bearerOf(authorization);
    if (presented === null) throw refusal();
    const digest = prover.digestOf(presented);
    const state = await finder.find(presented, digest);
    if (!state) return this.#identifyRoot(authorization);
    // Anyone may ask, so what it costs never delays a verification.
    const isProven = await prover.proves(state, presented, digest, 'low');
    if (!isProven || !isInForce(state, clock.now())) throw refusal();
    const parsed = parseKey(presented);
    return { state, start: parsed && startOf(parsed) };
  }

  /** The root key has no state. */
  async #identifyRoot(authorization: string | undefined): Promise<Held> {
    const caller = await this.#its.authenticate(authorization).catch(refuse);
    if (caller.type !== 'root') throw refusal();
    return 'root';
  }

  /** Revokes the presented key for good, as its holder: effective at once. */
  async giveUp({ authorization, requestId, ip }: HolderCall): Promise<void> {
    const held = await this.identify(authorization);
    if (held === 'root') {
      throw new Problem('FORBIDDEN', 'The root key cannot be given up; unset KEYWARD_ROOT_KEY.');
    }
    const { kind, keyId } = held.state;
    const type = kind === 'key' ? 'key' : 'management_key';
    const actor: Actor = { type, id: keyId, onBehalfOf: null };
    const call = { caller: { id: keyId }, actor, requestId, ip, idempotency: null };
    await this.#its.changes.run(call, async (change) => {
      const giveUp = kind === 'key' ? giveUpKey : giveUpManagementKey;
      if (!(await giveUp(change, keyId, actor))) throw refusal();
      return { body: {} };
    });
  }
}

function refusal(): Problem {
  return new Problem('UNAUTHENTICATED', 'Send a valid key: `Authorization: Bearer <key>`.');
}

function refuse(error: unknown): never {
  throw error instanceof Problem && error.code === 'UNAUTHENTICATED' ? refusal() : error;
}

/** Valid by itself: wherever it is used from, and whatever for. */
function isInForce(state: SecretState, now: number): boolean {
  if (isGone(state, now)) return false;
  if (state.kind === 'key') return isKeyInForce(state, now);
  return !state.revoked && (state.expiresAt ?? Infinity) > now;
}

function isKeyInForce(state: KeyState, now: number): boolean {
  if (state.minPolicyVersion > POLICY_VERSION) {
    throw new UnavailableError('this key has rules that only a newer version of Keyward knows');
  }
  const anywhere = { ...state, allowedIps: null, resources: null };
  return decide(anywhere, {}, now).code === 'VALID';
}
