import { isInactive, type KeyCredential, requireKnownPolicy } from '../credentials/credential.ts';
import type { CredentialResolver } from '../credentials/credential-resolver.ts';
import type { PresentedCaller } from '../domain/caller.ts';
import { type AccessRequest, type Decision, decide } from '../domain/decide.ts';
import { VERDICT_CODES, type VerdictCode, type VerdictCounter } from '../domain/verdict.ts';
import type { Clock } from '../lib/clock.ts';
import { Counters, counter, countersBy, type Metric } from '../lib/metric.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import type { QuotaLimiter, QuotaResult } from '../quotas/quota-limiter.ts';
import { type VerificationCaller, verificationCaller } from './caller.ts';

export interface VerifierDependencies {
  resolver: CredentialResolver;
  quotas: Pick<QuotaLimiter, 'consume'>;
  usage: VerdictCounter;
  clock: Clock;
}

export interface VerificationRequest extends AccessRequest {
  key: string;
  workspaceId?: string;
  /** What it consumes of the key's rate limits and credits, 1 by default; 0 consumes nothing. */
  cost?: number;
  /** What the client called itself. */
  userAgent?: string;
}

export interface Verification extends Decision {
  code: VerdictCode;
  /** Null if the key must look as if it did not exist. */
  credential: KeyCredential | null;
  /** Null if the verdict did not depend on rate limits or credits. */
  quota: QuotaResult | null;
}

const NOT_FOUND: Verification = {
  code: 'NOT_FOUND',
  missingScopes: [],
  credential: null,
  quota: null,
};

/** Counts verifications without a matching key for callers that ask about every workspace. */
const ANY_WORKSPACE = '*';

/**
 * One verification, from the presented string to the counted verdict: `recall` is the way of most.
 */
export class Verifier {
  readonly #deps: VerifierDependencies;
  readonly #verdicts = new Counters<VerdictCode>(VERDICT_CODES);
  #staleAnswers = 0;

  constructor(deps: VerifierDependencies) {
    this.#deps = deps;
  }

  get metrics(): Metric[] {
    return [
      countersBy('code', 'keyward_verdicts_total', 'Verifications by their verdict.', () =>
        this.#verdicts.entries(),
      ),
      counter(
        'keyward_stale_answers_total',
        'Verifications answered from memory while the database was away.',
        () => this.#staleAnswers,
      ),
    ];
  }

  /** From memory if that can tell, else with what the database says. */
  async verify(request: VerificationRequest, presented: PresentedCaller): Promise<Verification> {
    const recalled = await this.recall(request, presented);
    if (recalled) return recalled;
    const asking = presented
      .identify()
      .then((identified) => verificationCaller(identified, request.workspaceId));
    return this.resolve(request, asking);
  }

  /**
   * Waits for the fence and then, unless the key has limits, for nothing else. Null if memory cannot
   * tell who calls or what the key is: nothing is counted then.
   */
  async recall(
    request: VerificationRequest,
    presented: PresentedCaller,
  ): Promise<Verification | null> {
    const { resolver } = this.#deps;
    const key = resolver.present(request.key);
    if (!resolver.mayRecall(key)) return null;
    if (!(await resolver.whenFresh())) return null;
    const identified = presented.recall();
    if (!identified) return null;
    const caller = verificationCaller(identified, request.workspaceId);
    const credential = resolver.recallKey(key, caller.workspaceId);
    return credential === undefined ? null : this.#conclude(credential, request, caller);
  }

  /** The same, with the database in between: it loads and proves what memory does not have. */
  async resolve(
    request: VerificationRequest,
    asking: Promise<VerificationCaller>,
  ): Promise<Verification> {
    const { resolver } = this.#deps;
    const credential = await resolver.resolveKey(resolver.present(request.key), asking);
    return this.#conclude(credential, request, await asking);
  }

  #conclude(
    credential: KeyCredential | null,
    request: VerificationRequest,
    caller: VerificationCaller,
  ): Verification | Promise<Verification> {
    const decided = evaluate(credential, request, this.#deps.clock.now());
    if (isMetered(decided)) return this.#consume(decided, request, caller);
    const counted = this.#count(decided.code, credential, request, caller);
    return counted ? counted.then(() => decided) : decided;
  }

  /** The last checks: they consume, so they come after all others have passed. */
  async #consume(
    decided: Metered,
    request: VerificationRequest,
    caller: VerificationCaller,
  ): Promise<Verification> {
    const { quotas, usage, clock } = this.#deps;
    const { credential } = decided;
    if (credential.stale) throw new UnavailableError('quotas need the database');
    // What consumes has its room to be counted first: one that is refused for that consumes nothing.
    const release = usage.reserve();
    try {
      const quota = await quotas.consume(credential, costOf(request), clock.now());
      release();
      await this.#count(quota.code, credential, request, caller);
      return { ...decided, code: quota.code, quota };
    } finally {
      release();
    }
  }

  /** The verdict and the use of the caller's key together, so that both count or neither; once. */
  #count(
    code: VerdictCode,
    credential: KeyCredential | null,
    request: VerificationRequest,
    { workspaceId, identified }: VerificationCaller,
  ): Promise<void> | void {
    const { usage, clock } = this.#deps;
    const { uncounted } = identified;
    const now = clock.now();
    const units = unitsOf(code, request);
    const counted = credential
      ? usage.count(credential.keyId, credential.ref, code, now, uncounted, units, request)
      : usage.countUnmatched(workspaceId ?? ANY_WORKSPACE, now, uncounted);
    identified.uncounted = null;
    this.#verdicts.add(code);
    if (credential?.stale) this.#staleAnswers++;
    return counted;
  }

  /** The use of the caller's key, where there is no verdict to count it with. */
  async countUse({ identified }: VerificationCaller): Promise<void> {
    const { usage, clock } = this.#deps;
    const { uncounted } = identified;
    if (uncounted) await usage.count(uncounted.keyId, uncounted.ref, 'VALID', clock.now());
  }
}

function costOf({ cost = 1 }: VerificationRequest): number {
  return cost;
}

/** What a verification consumed, or would have of a key with limits: nothing unless it was VALID. */
function unitsOf(code: VerdictCode, request: VerificationRequest): number {
  return code === 'VALID' ? costOf(request) : 0;
}

function evaluate(
  credential: KeyCredential | null,
  request: AccessRequest,
  now: number,
): Verification {
  if (!credential || isInactive(credential, now)) return NOT_FOUND;
  requireKnownPolicy(credential);
  const { code, missingScopes } = decide(credential, request, now);
  return { code, missingScopes, credential, quota: null };
}

/** A verdict that limits or credits may still change. */
type Metered = Verification & { credential: KeyCredential };

function isMetered(decided: Verification): decided is Metered {
  const { code, credential } = decided;
  if (code !== 'VALID' || !credential) return false;
  return credential.creditsLimited || credential.limits.length > 0;
}
