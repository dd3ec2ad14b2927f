import {
  type Credential,
  isInactive,
  type KeyCredential,
  POLICY_VERSION,
} from '../credentials/credential.ts';
import type { CredentialCache } from '../credentials/credential-cache.ts';
import type { ImportedAlgorithms } from '../credentials/imported-algorithms.ts';
import type { SecretVerifier } from '../credentials/secret-verifier.ts';
import { type AccessRequest, type Decision, decide } from '../domain/decide.ts';
import { type ChecksumKey, hasValidChecksum, parseKey, refOf } from '../domain/key-string.ts';
import type { RateLimitStatus } from '../domain/limits.ts';
import type { VerdictCode } from '../domain/verdict.ts';
import type { Clock } from '../lib/clock.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';

/** Where verdicts are counted. What it returns is awaited before the answer. */
export interface UsageCounter {
  count(keyId: string, secretRef: string, code: VerdictCode, now: number): Promise<void> | void;
  countUnmatched(workspaceId: string, now: number): Promise<void> | void;
}

/** What a verification spent of its key's limits and credits, or why it could not. */
export interface SpentQuota {
  code: VerdictCode;
  credits: number | null;
  rateLimits: readonly (RateLimitStatus & { exceeded: boolean })[];
  retryAt: number | null;
}

/** Where limits and credits are spent: all or nothing. */
interface Spender {
  consume(state: KeyCredential, cost: number, now: number): Promise<SpentQuota>;
}

/** What a presented key of any kind is known by. */
export interface ResolverDependencies {
  states: CredentialCache;
  prover: SecretVerifier;
  usage: UsageCounter;
  clock: Clock;
  checksumKey: ChecksumKey;
}

export interface VerifierDependencies extends ResolverDependencies {
  limits: Spender;
  imported: ImportedAlgorithms;
}

export interface VerificationRequest extends AccessRequest {
  key: string;
  /** What it takes of the key's limits and credits; 0 looks without spending. */
  cost?: number;
}

/** `state` is null where the key must look as if it did not exist. */
export interface Verification extends Decision {
  credential: KeyCredential | null;
  /** Null where the verdict did not depend on limits or credits. */
  quota: SpentQuota | null;
}

const NOT_FOUND: Verification = {
  code: 'NOT_FOUND',
  missingScopes: [],
  credential: null,
  quota: null,
};
/** Where verifications that match no key are counted for callers who ask about every workspace. */
const ANY_WORKSPACE = '*';

/** One verification, from the presented string to the counted verdict. */
export class Verifier {
  readonly #deps: VerifierDependencies;

  constructor(dependencies: VerifierDependencies) {
    this.#deps = dependencies;
  }

  /**
   * `workspace` (null: all of them) is awaited beside the key's state, so that one fence vouches
   * for the caller and for the key.
   */
  async verify(
    presented: VerificationRequest,
    workspace: Promise<string | null>,
  ): Promise<Verification> {
    const { prover, usage, clock } = this.#deps;
    const { key } = presented;
    const digest = prover.digestOf(key);
    const [wanted, state] = await Promise.all([workspace, this.find(key, digest)]);
    if (!isKeyOf(state, wanted) || !(await prover.matches(state, key, digest))) {
      await usage.countUnmatched(wanted ?? ANY_WORKSPACE, clock.now());
      return NOT_FOUND;
    }
    const decided = evaluate(state, presented, clock.now());
    const verdict = isLimited(decided)
      ? await this.#consumeQuota(decided, state, presented)
      : decided;
    await usage.count(state.keyId, state.ref, verdict.code, clock.now());
    return verdict;
  }

  /** The last checks: they spend, so they come when all others have passed. */
  async #consumeQuota(
    decided: Verification,
    state: KeyCredential,
    { cost = 1 }: VerificationRequest,
  ): Promise<Verification> {
    const { limits, clock } = this.#deps;
    if (state.stale) throw new UnavailableError('limits cannot be spent from without the database');
    const spending = await limits.consume(state, cost, clock.now());
    return { ...decided, code: spending.code, quota: spending };
  }

  /** Format and checksum end guesses and typos, before any key is read. */
  find(key: string, digest: string): Promise<Credential | null> {
    const ref = nativeRef(this.#deps, key, digest);
    return ref === null ? this.#findImported(key) : this.#deps.states.get(ref);
  }

  /** A string of another system: looked up by its digest, where any such keys were imported. */
  async #findImported(key: string): Promise<Credential | null> {
    const { states, imported } = this.#deps;
    for (const ref of await imported.refsOf(key)) {
      const state = await states.get(ref);
      if (state) return state;
    }
    return null;
  }
}

/** The ref of a key of this installation. One that is proven has passed form and checksum before. */
export function nativeRef(deps: ResolverDependencies, key: string, digest: string): string | null {
  const ref = refOf(key);
  if (deps.states.hasMatched(ref, digest)) return ref;
  return parseKey(key) && hasValidChecksum(key, deps.checksumKey) ? ref : null;
}

/** Management keys are never valid here, and keys of other workspaces do not exist. */
function isKeyOf(state: Credential | null, workspace: string | null): state is KeyCredential {
  return state?.kind === 'key' && (workspace === null || state.workspaceId === workspace);
}

function isLimited({ code, credential: state }: Verification): boolean {
  return code === 'VALID' && state !== null && (state.creditsLimited || state.limits.length > 0);
}

function evaluate(state: KeyCredential, question: AccessRequest, now: number): Verification {
  if (isInactive(state, now)) return NOT_FOUND;
  if (state.minPolicyVersion > POLICY_VERSION) {
    throw new UnavailableError('this key has rules that only a newer version of Keyward knows');
  }
  return { ...decide(state, question, now), credential: state, quota: null };
}
