import { type Decision, decide, type Question } from '../domain/decide.ts';
import { type ChecksumKey, hasValidChecksum, parseKey, refOf } from '../domain/key-string.ts';
import type { RateLimitStanding } from '../domain/limits.ts';
import type { VerdictCode } from '../domain/verdict.ts';
import type { Clock } from '../lib/clock.ts';
import { UnavailableError } from '../lib/unavailable.ts';
import type { Prover } from '../secrets/prover.ts';
import type { ImportedKeys } from './imported-keys.ts';
import { isGone, type KeyState, POLICY_VERSION, type SecretState } from './state.ts';
import type { States } from './states.ts';

/** Where verdicts are counted. What it returns is awaited before the answer. */
export interface VerdictCounter {
  count(keyId: string, secretRef: string, code: VerdictCode, now: number): Promise<void> | void;
  countUnmatched(workspaceId: string, now: number): Promise<void> | void;
}

/** What a verification spent of its key's limits and credits, or why it could not. */
export interface Spending {
  code: VerdictCode;
  credits: number | null;
  rateLimits: readonly (RateLimitStanding & { exceeded: boolean })[];
  retryAt: number | null;
}

/** Where limits and credits are spent: all or nothing. */
interface Spender {
  spend(state: KeyState, cost: number, now: number): Promise<Spending>;
}

/** What a presented key of any kind is known by. */
export interface EngineDependencies {
  states: States;
  prover: Prover;
  usage: VerdictCounter;
  clock: Clock;
  checksumKey: ChecksumKey;
}

export interface VerifierDependencies extends EngineDependencies {
  limits: Spender;
  imported: ImportedKeys;
}

export interface Presented extends Question {
  key: string;
  /** What it takes of the key's limits and credits; 0 looks without spending. */
  cost?: number;
}

/** `state` is null where the key must look as if it did not exist. */
export interface Verdict extends Decision {
  state: KeyState | null;
  /** Null where the verdict did not depend on limits or credits. */
  spending: Spending | null;
}

const NOT_FOUND: Verdict = { code: 'NOT_FOUND', missingScopes: [], state: null, spending: null };
/** Where verifications that match no key are counted for callers who ask about every workspace. */
const ANY_WORKSPACE = '*';

/** One verification, from the presented string to the counted verdict. */
export class Verifier {
  readonly #its: VerifierDependencies;

  constructor(dependencies: VerifierDependencies) {
    this.#its = dependencies;
  }

  /**
   * `workspace` (null: all of them) is awaited beside the key's state, so that one fence vouches
   * for the caller and for the key.
   */
  async verify(presented: Presented, workspace: Promise<string | null>): Promise<Verdict> {
    const { prover, usage, clock } = this.#its;
    const { key } = presented;
    const digest = prover.digestOf(key);
    const [wanted, state] = await Promise.all([workspace, this.find(key, digest)]);
    if (!isKeyOf(state, wanted) || !(await prover.proves(state, key, digest))) {
      await usage.countUnmatched(wanted ?? ANY_WORKSPACE, clock.now());
      return NOT_FOUND;
    }
    const decided = judge(state, presented, clock.now());
    const verdict = isLimited(decided) ? await this.#spend(decided, state, presented) : decided;
    await usage.count(state.keyId, state.ref, verdict.code, clock.now());
    return verdict;
  }

  /** The last checks: they spend, so they come when all others have passed. */
  async #spend(decided: Verdict, state: KeyState, { cost = 1 }: Presented): Promise<Verdict> {
    const { limits, clock } = this.#its;
    if (state.stale) throw new UnavailableError('limits cannot be spent from without the database');
    const spending = await limits.spend(state, cost, clock.now());
    return { ...decided, code: spending.code, spending };
  }

  /** Format and checksum end guesses and typos, before any key is read. */
  find(key: string, digest: string): Promise<SecretState | null> {
    const ref = nativeRef(this.#its, key, digest);
    return ref === null ? this.#findImported(key) : this.#its.states.get(ref);
  }

  /** A string of another system: looked up by its digest, where any such keys were imported. */
  async #findImported(key: string): Promise<SecretState | null> {
    const { states, imported } = this.#its;
    for (const ref of await imported.refsOf(key)) {
      const state = await states.get(ref);
      if (state) return state;
    }
    return null;
  }
}

/** The ref of a key of this installation. One that is proven has passed form and checksum before. */
export function nativeRef(its: EngineDependencies, key: string, digest: string): string | null {
  const ref = refOf(key);
  if (its.states.hasProven(ref, digest)) return ref;
  return parseKey(key) && hasValidChecksum(key, its.checksumKey) ? ref : null;
}

/** Management keys are never valid here, and keys of other workspaces do not exist. */
function isKeyOf(state: SecretState | null, workspace: string | null): state is KeyState {
  return state?.kind === 'key' && (workspace === null || state.workspaceId === workspace);
}

function isLimited({ code, state }: Verdict): boolean {
  return code === 'VALID' && state !== null && (state.creditsLimited || state.limits.length > 0);
}

function judge(state: KeyState, question: Question, now: number): Verdict {
  if (isGone(state, now)) return NOT_FOUND;
  if (state.minPolicyVersion > POLICY_VERSION) {
    throw new UnavailableError('this key has rules that only a newer version of Keyward knows');
  }
  return { ...decide(state, question, now), state, spending: null };
}
