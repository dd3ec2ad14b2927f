import type { RateLimit } from '../domain/limits.ts';
import { invalidField } from '../errors.ts';
import type { Credits } from './schemas/quota-fields.ts';
import type { KeyChanges } from './store.ts';

export interface QuotaInput {
  rateLimits?: readonly RateLimit[] | undefined;
  credits?: Credits | null | undefined;
}

/** The columns for the requested limits and credits. `areCreditsLimited` so far. */
export function toQuotaColumns(
  { rateLimits, credits }: QuotaInput,
  areCreditsLimited: boolean,
): KeyChanges {
  return {
    ...(rateLimits && toLimitColumns(rateLimits)),
    ...(credits !== undefined && toCreditColumns(credits, areCreditsLimited)),
  };
}

function toLimitColumns(limits: readonly RateLimit[]): KeyChanges {
  const names = limits.map(({ name }) => name);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice !== -1) throw invalidField(`/body/rateLimits/${twice}/name`, 'is given twice');
  return {
    limitNames: names,
    limitUnits: limits.map(({ limit }) => limit),
    limitWindows: limits.map(({ windowSeconds }) => windowSeconds),
  };
}

const NO_REFILL = { refillInterval: null, refillAmount: null, refillDay: null };

function toCreditColumns(credits: Credits | null, areLimited: boolean): KeyChanges {
  if (credits === null) return { creditsLimited: false, ...NO_REFILL };
  if (credits.remaining === undefined && !areLimited) {
    throw invalidField('/body/credits/remaining', 'is required: the credits are not limited yet');
  }
  return { creditsLimited: true, ...toRefillColumns(credits.refill ?? null) };
}

function toRefillColumns(refill: Credits['refill'] | null): KeyChanges {
  if (!refill) return NO_REFILL;
  const { interval, amount, dayOfMonth } = refill;
  if (interval === 'daily' && dayOfMonth !== undefined) {
    throw invalidField('/body/credits/refill/dayOfMonth', 'goes with monthly refills alone');
  }
  const refillDay = interval === 'monthly' ? (dayOfMonth ?? 1) : null;
  return { refillInterval: interval, refillAmount: amount, refillDay };
}
