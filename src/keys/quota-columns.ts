import type { RateLimit } from '../domain/limits.ts';
import { invalidField } from '../errors.ts';
import type { Credits } from './schemas/quota-fields.ts';
import type { KeyChanges } from './store.ts';

export interface QuotaInput {
  rateLimits?: readonly RateLimit[] | undefined;
  credits?: Credits | null | undefined;
}

/** How the credits of a key are limited so far. */
type CreditColumns = { creditsLimited: boolean; refillDay?: number | null };

/** The columns for the requested limits and credits. */
export function toQuotaColumns(
  { rateLimits, credits }: QuotaInput,
  current: CreditColumns,
): KeyChanges {
  return {
    ...(rateLimits && toLimitColumns(rateLimits)),
    ...(credits !== undefined && toCreditColumns(credits, current)),
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

/** Within credits too, what is left out stays. */
function toCreditColumns(credits: Credits | null, current: CreditColumns): KeyChanges {
  if (credits === null) return { creditsLimited: false, ...NO_REFILL };
  if (credits.remaining === undefined && !current.creditsLimited) {
    throw invalidField('/body/credits/remaining', 'is required: the credits are not limited yet');
  }
  const { refill } = credits;
  return {
    creditsLimited: true,
    ...(refill !== undefined && toRefillColumns(refill, current.refillDay ?? 1)),
  };
}

function toRefillColumns(refill: Credits['refill'] | null, currentDay: number): KeyChanges {
  if (!refill) return NO_REFILL;
  const { interval, amount, dayOfMonth = currentDay } = refill;
  if (interval === 'daily' && typeof refill.dayOfMonth === 'number') {
    throw invalidField('/body/credits/refill/dayOfMonth', 'goes with monthly refills alone');
  }
  const refillDay = interval === 'monthly' ? (dayOfMonth ?? 1) : null;
  return { refillInterval: interval, refillAmount: amount, refillDay };
}
