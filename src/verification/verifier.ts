import { type Decision, decide, type Question } from '../domain/decide.ts';
import { hasValidChecksum, type ParsedKey, parseKey } from '../domain/key-string.ts';
import type { VerdictCode } from '../domain/verdict.ts';
import type { Clock } from '../lib/clock.ts';
import { UnavailableError } from '../lib/unavailable.ts';
import type { Prover } from '../secrets/prover.ts';
import { isGone, type KeyState, POLICY_VERSION, type SecretState } from './state.ts';
import type { States } from './states.ts';

/** Where verdicts are counted. */
export interface VerdictCounter {
  count(keyId: string, secretRef: string, code: VerdictCode, now: number): void;
  countUnmatched(workspaceId: string, now: number): void;
}

export interface VerifierDependencies {
  states: States;
  prover: Prover;
  usage: VerdictCounter;
  clock: Clock;
  checksumKey: Uint8Array;
}

export interface Presented extends Question {
  key: string;
}

/** `state` is null where the key must look as if it did not exist. */
export interface Verdict extends Decision {
  state: KeyState | null;
}

const NOT_FOUND: Verdict = { code: 'NOT_FOUND', missingScopes: [], state: null };
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
    const { states, prover, usage, clock } = this.#its;
    const parsed = this.#parse(presented.key);
    const [wanted, state] = await Promise.all([workspace, parsed && states.get(parsed.ref)]);
    if (!isKeyOf(state, wanted) || !(await prover.proves(state, presented.key))) {
      usage.countUnmatched(wanted ?? ANY_WORKSPACE, clock.now());
      return NOT_FOUND;
    }
    const verdict = judge(state, presented, clock.now());
    usage.count(state.keyId, state.ref, verdict.code, clock.now());
    return verdict;
  }

  /** Format and checksum end guesses and typos before anything is read. */
  #parse(key: string): ParsedKey | null {
    const parsed = parseKey(key);
    return parsed && hasValidChecksum(key, this.#its.checksumKey) ? parsed : null;
  }
}

/** Management keys are never valid here, and keys of other workspaces do not exist. */
function isKeyOf(state: SecretState | null, workspace: string | null): state is KeyState {
  return state?.kind === 'key' && (workspace === null || state.workspaceId === workspace);
}

function judge(state: KeyState, question: Question, now: number): Verdict {
  if (isGone(state, now)) return NOT_FOUND;
  if (state.minPolicyVersion > POLICY_VERSION) {
    throw new UnavailableError('this key has rules that only a newer version of Keyward knows');
  }
  return { ...decide(state, question, now), state };
}
