import { LRUCache } from 'lru-cache';
import type { RateLimit, RateLimitStatus } from '../domain/limits.ts';
import { nextRefill, type Refill } from '../domain/refill.ts';
import type { Invalidation, InvalidationListener } from '../freshness/invalidation.ts';
import { DENIAL_BYTES } from '../lib/memory-budget.ts';
import { counter, type Metric } from '../lib/metric.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import type { QuotaCode, QuotaDecision } from './decision.ts';
import type { QuotaStore } from './quota-store.ts';

/** What a key may consume. */
export interface Quota {
  keyId: string;
  limits: readonly RateLimit[];
  creditsLimited: boolean;
  refill: Refill | null;
}

/** What a verification consumed, or why it could not. */
export interface QuotaResult {
  code: QuotaCode;
  /** Credits left; null if they are not limited. */
  credits: number | null;
  rateLimits: readonly (RateLimitStatus & { exceeded: boolean })[];
  /** When it may pass, in epoch milliseconds; null if it passed, or waiting does not help. */
  retryAt: number | null;
}

interface Denial {
  cost: number;
  until: number;
  decision: QuotaDecision;
}

/**
 * Enforces the rate limits and credits of keys. A denial is cached until something can come back, or
 * until the key is invalidated, so that an exhausted key costs no statement for each attempt.
 */
export class QuotaLimiter implements InvalidationListener {
  readonly #store: QuotaStore;
  readonly #incarnation: () => string | null;
  readonly #denials: LRUCache<string, Denial>;
  /** Counts invalidations: a denial that was in flight during one is not cached. */
  #generation = 0;
  #recalled = 0;

  constructor(store: QuotaStore, incarnation: () => string | null, maxDenials: number) {
    this.#store = store;
    this.#incarnation = incarnation;
    this.#denials = new LRUCache({ max: maxDenials });
  }

  get resourceLimits(): ResourceLimit[] {
    const { max } = this.#denials;
    return [{ name: 'denials', max, bytesEach: DENIAL_BYTES, used: () => this.#denials.size }];
  }

  get metrics(): Metric[] {
    return [
      counter(
        'keyward_quota_denials_recalled_total',
        'Verifications of an exhausted key that were denied from memory.',
        () => this.#recalled,
      ),
    ];
  }

  /** All or nothing: a denied request consumes nothing. `now` is in epoch milliseconds. */
  async consume(quota: Quota, cost: number, now: number): Promise<QuotaResult> {
    const denied = this.#cachedDenial(quota, cost, now);
    if (denied) {
      this.#recalled++;
      return denied;
    }
    const generation = this.#generation;
    const decision = await this.#store.consume({ keyId: quota.keyId, cost });
    if (decision.incarnation !== this.#incarnation()) {
      throw new UnavailableError('limits were read from another run of the database');
    }
    const result = toResult(decision, quota, cost);
    if (decision.code !== 'VALID' && generation === this.#generation) {
      this.#denials.set(quota.keyId, { cost, until: changesAt(decision, result, quota), decision });
    }
    return result;
  }

  /** Null if the database has to be asked. */
  #cachedDenial(quota: Quota, cost: number, now: number): QuotaResult | null {
    const denial = this.#denials.get(quota.keyId);
    if (!denial || cost < denial.cost || now >= denial.until) return null;
    const result = toResult(denial.decision, quota, cost);
    // Rate limits are checked before credits, and this cost may exceed one of them as well.
    const mayDiffer = result.code === 'CREDITS_EXHAUSTED' && result.rateLimits.some(lacks(cost));
    return mayDiffer ? null : result;
  }

  invalidate(invalidations: readonly Invalidation[]): void {
    this.#generation++;
    for (const { kind, id } of invalidations) {
      if (kind === 'key') this.#denials.delete(id);
      else if (kind !== 'secret') this.#denials.clear();
    }
  }

  reset(): void {
    this.#generation++;
    this.#denials.clear();
  }
}

function lacks(cost: number) {
  return ({ remaining }: { remaining: number }) => remaining < cost;
}

function toResult(decision: QuotaDecision, quota: Quota, cost: number): QuotaResult {
  const rateLimits = quota.limits.map((limit, index) => {
    const remaining = decision.units[index] ?? 0;
    return {
      ...limit,
      remaining,
      resetAt: decision.resets[index] ?? null,
      exceeded: decision.code === 'RATE_LIMITED' && remaining < cost,
    };
  });
  const { code, credits } = decision;
  return { code, credits, rateLimits, retryAt: retryAt(decision, rateLimits, quota.refill, cost) };
}

/** Before this time the same request is denied again. Null if no waiting lets it pass. */
function retryAt(
  { code, at, credits }: QuotaDecision,
  rateLimits: QuotaResult['rateLimits'],
  refill: Refill | null,
  cost: number,
): number | null {
  if (code === 'VALID') return null;
  const waits = rateLimits
    .filter(lacks(cost))
    .map(({ limit, resetAt }) => (cost > limit ? null : resetAt));
  // Whichever denied, the credits must suffice too. A refill sets the balance to its amount.
  if (credits !== null && credits < cost) {
    waits.push(refill && refill.amount >= cost ? nextRefill(refill, at) : null);
  }
  const known = waits.filter((wait) => wait !== null);
  return known.length === waits.length && known.length > 0 ? Math.max(...known) : null;
}

/** Until then nothing comes back, so what a denial says of the limits stays true. */
function changesAt({ at }: QuotaDecision, { rateLimits }: QuotaResult, quota: Quota): number {
  const resets = rateLimits.map(({ resetAt }) => resetAt).filter((resetAt) => resetAt !== null);
  const refill = quota.creditsLimited && quota.refill ? [nextRefill(quota.refill, at)] : [];
  return Math.min(...resets, ...refill);
}
