import { isInactive, type KeyCredential, requireKnownPolicy } from '../credentials/credential.ts';
import type { CredentialResolver } from '../credentials/credential-resolver.ts';
import type { Asker } from '../domain/caller.ts';
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
/** Who asks for a verification. */
export interface VerificationCaller extends Asker {
  countUse: () => Promise<void> | void;
}

/** Counts verifications without a matching key for callers that ask about every workspace. */
const ANY_WORKSPACE = '*';

/** One verification, from the presented string to the counted verdict. */
export class Verifier {
  readonly #deps: VerifierDependencies;

  constructor(deps: VerifierDependencies) {
    this.#deps = deps;
  }

  async verify(
    request: VerificationRequest,
    asking: Promise<VerificationCaller>,
  ): Promise<Verification> {
    const { resolver, usage, clock } = this.#deps;
    const credential = await resolver.resolveKey(request.key, asking);
    const caller = await asking;
    if (!credential) {
      const counted = usage.countUnmatched(caller.workspaceId ?? ANY_WORKSPACE, clock.now());
      await Promise.all([counted, caller.countUse()]);
      return NOT_FOUND;
    }
    const decided = evaluate(credential, request, clock.now());
    // What consumes has its room to be counted first: else a retry would consume again.
    const release = isMetered(decided) ? usage.reserve() : null;
    try {
      const verification = release
        ? await this.#consumeQuota(decided, credential, request)
        : decided;
      release?.();
      const { keyId, ref } = credential;
      const units = verification.code === 'VALID' ? (request.cost ?? 1) : 0;
      const counted = usage.count(keyId, ref, verification.code, clock.now(), units);
      // Together, so that one write serves both.
      await Promise.all([counted, caller.countUse()]);
      return verification;
    } finally {
      release?.();
    }
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
