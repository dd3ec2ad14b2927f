import { LRUCache } from 'lru-cache';
import type { RateLimit, RateLimitStatus } from '../domain/limits.ts';
import { nextRefill, type Refill } from '../domain/refill.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import type { QuotaCode, QuotaDecision, QuotaStore } from './quota-store.ts';

const MAX_CACHED_DENIALS = 50_000;

/** What a key may spend. */
export interface Quota {
  keyId: string;
  limits: readonly RateLimit[];
  creditsLimited: boolean;
  refill: Refill | null;
}

/** What a verification spent, or why it could not. */
export interface QuotaResult {
  code: QuotaCode;
  /** Credits left; null where they are not limited. */
  credits: number | null;
  rateLimits: readonly (RateLimitStatus & { exceeded: boolean })[];
  /** When it may pass again, in epoch milliseconds; null where no time is known. */
  retryAt: number | null;
}

interface Denial {
  cost: number;
  until: number;
  decision: QuotaDecision;
}

/**
 * Limits and credits of keys. A denial is remembered for as long as nothing can come back, or
 * until the feed names the key, so that an exhausted key that hammers costs no statement each.
 */
export class QuotaLimiter {
  readonly #store: QuotaStore;
  readonly #incarnation: () => string | null;
  readonly #denials = new LRUCache<string, Denial>({ max: MAX_CACHED_DENIALS });
  /** Counts what the fence said: a denial that was under way meanwhile is not remembered. */
  #generation = 0;

  constructor(consumer: QuotaStore, incarnation: () => string | null) {
    this.#store = consumer;
    this.#incarnation = incarnation;
  }

  get resourceLimits(): ResourceLimit[] {
    return [{ name: 'denials', max: this.#denials.max, used: () => this.#denials.size }];
  }

  /** All or nothing; a denied one spends nothing. `now` is epoch milliseconds. */
  async consume(allowance: Quota, cost: number, now: number): Promise<QuotaResult> {
    const denied = this.#cachedDenial(allowance, cost, now);
    if (denied) return denied;
    const generation = this.#generation;
    const spent = await this.#store.consume({ keyId: allowance.keyId, cost });
    if (spent.incarnation !== this.#incarnation()) {
      throw new UnavailableError('limits were read from another run of the database');
    }
    const outcome = toResult(spent, allowance, cost);
    if (spent.code !== 'VALID' && generation === this.#generation) {
      const until = outcome.retryAt ?? Number.POSITIVE_INFINITY;
      this.#denials.set(allowance.keyId, { cost, until, decision: spent });
    }
    return outcome;
  }

  /** Null where the database has to be asked. */
  #cachedDenial(allowance: Quota, cost: number, now: number): QuotaResult | null {
    const denial = this.#denials.get(allowance.keyId);
    if (!denial || cost < denial.cost || now >= denial.until) return null;
    const outcome = toResult(denial.decision, allowance, cost);
    // Limits are checked before credits, and this cost may be too much for one of them as well.
    const isOther = outcome.code === 'CREDITS_EXHAUSTED' && outcome.rateLimits.some(lacks(cost));
    return isOther ? null : outcome;
  }

  invalidate(changes: readonly { kind: string; id: string }[]): void {
    this.#generation++;
    for (const { kind, id } of changes) {
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

function toResult(spent: QuotaDecision, allowance: Quota, cost: number): QuotaResult {
  const rateLimits = allowance.limits.map((limit, index) => {
    const remaining = spent.units[index] ?? 0;
    return {
      ...limit,
      remaining,
      resetAt: spent.resets[index] ?? null,
      exceeded: spent.code === 'RATE_LIMITED' && remaining < cost,
    };
  });
  const { code, credits } = spent;
  return { code, credits, rateLimits, retryAt: retryAt(spent, rateLimits, allowance.refill, cost) };
}

/** Nothing comes back before then. Null where only a change of the key can help. */
function retryAt(
  { code, at }: QuotaDecision,
  rateLimits: QuotaResult['rateLimits'],
  refill: Refill | null,
  cost: number,
): number | null {
  if (code === 'CREDITS_EXHAUSTED') return refill && nextRefill(refill, at);
  const resets = rateLimits
    .filter(({ exceeded }) => exceeded)
    .map(({ limit, resetAt }) => (cost > limit ? null : resetAt));
  const known = resets.filter((resetAt) => resetAt !== null);
  return known.length === resets.length && known.length > 0 ? Math.max(...known) : null;
}
