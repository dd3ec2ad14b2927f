import { type Decision, decide, type Question } from '../domain/decide.ts';
import { hasValidChecksum, type ParsedKey, parseKey } from '../domain/key-string.ts';
import type { VerdictCode } from '../domain/verdict.ts';
import type { Clock } from '../lib/clock.ts';
import { UnavailableError } from '../lib/unavailable.ts';
import type { Prover } from '../secrets/prover.ts';
import { POLICY_VERSION, type SecretState } from './state.ts';
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
  state: SecretState | null;
}

const NOT_FOUND: Verdict = { code: 'NOT_FOUND', missingScopes: [], state: null };

/** One verification, from the presented string to the counted verdict. */
export class Verifier {
  readonly #its: VerifierDependencies;

  constructor(dependencies: VerifierDependencies) {
    this.#its = dependencies;
  }

  /** `caller` is awaited beside the key's state, so that one fence vouches for both. */
  async verify(presented: Presented, caller: Promise<{ workspaceId: string }>): Promise<Verdict> {
    const { states, prover, usage, clock } = this.#its;
    const parsed = this.#parse(presented.key);
    const [{ workspaceId }, state] = await Promise.all([caller, parsed && states.get(parsed.ref)]);
    if (!state || !(await prover.proves(state, presented.key))) {
      usage.countUnmatched(workspaceId, clock.now());
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

function judge(state: SecretState, question: Question, now: number): Verdict {
  if (state.deleted || state.retired) return NOT_FOUND;
  if (state.minPolicyVersion > POLICY_VERSION) {
    throw new UnavailableError('this key has rules that only a newer version of Keyward knows');
  }
  return { ...decide(state, question, now), state };
}
