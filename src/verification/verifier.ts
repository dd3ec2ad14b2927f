import { isInactive, type KeyCredential, requireKnownPolicy } from '../credentials/credential.ts';
import type { CredentialResolver } from '../credentials/credential-resolver.ts';
import { type AccessRequest, type Decision, decide } from '../domain/decide.ts';
import type { VerdictCode, VerdictCounter } from '../domain/verdict.ts';
import type { Clock } from '../lib/clock.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import type { QuotaLimiter, QuotaResult } from '../quotas/quota-limiter.ts';

export interface VerifierDependencies {
  resolver: CredentialResolver;
  quotas: Pick<QuotaLimiter, 'consume'>;
  usage: VerdictCounter;
  clock: Clock;
}

export interface VerificationRequest extends AccessRequest {
  key: string;
  /** What it consumes of the key's rate limits and credits, 1 by default; 0 consumes nothing. */
  cost?: number;
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

/** One verification, from the presented string to the counted verdict. */
export class Verifier {
  readonly #deps: VerifierDependencies;

  constructor(deps: VerifierDependencies) {
    this.#deps = deps;
  }

  /** `workspace` is the one that the caller asks about; null: every workspace. */
  async verify(
    request: VerificationRequest,
    workspace: Promise<string | null>,
  ): Promise<Verification> {
    const { resolver, usage, clock } = this.#deps;
    const credential = await resolver.resolveKey(request.key, workspace);
    if (!credential) {
      await usage.countUnmatched((await workspace) ?? ANY_WORKSPACE, clock.now());
      return NOT_FOUND;
    }
    const decided = evaluate(credential, request, clock.now());
    const verification = isMetered(decided)
      ? await this.#consumeQuota(decided, credential, request)
      : decided;
    await usage.count(credential.keyId, credential.ref, verification.code, clock.now());
    return verification;
  }

  /** The last checks: they consume, so they come after all others have passed. */
  async #consumeQuota(
    decided: Verification,
    credential: KeyCredential,
    { cost = 1 }: VerificationRequest,
  ): Promise<Verification> {
    const { quotas, clock } = this.#deps;
    if (credential.stale) throw new UnavailableError('quotas need the database');
    const quota = await quotas.consume(credential, cost, clock.now());
    return { ...decided, code: quota.code, quota };
  }
}

function evaluate(credential: KeyCredential, request: AccessRequest, now: number): Verification {
  if (isInactive(credential, now)) return NOT_FOUND;
  requireKnownPolicy(credential);
  return { ...decide(credential, request, now), credential, quota: null };
}

function isMetered({ code, credential }: Verification): boolean {
  if (code !== 'VALID' || !credential) return false;
  return credential.creditsLimited || credential.limits.length > 0;
}
