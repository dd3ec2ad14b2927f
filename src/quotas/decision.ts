/** What one verification is to consume of its key's rate limits and credits. */
export interface QuotaRequest {
  keyId: string;
  cost: number;
}

export type QuotaCode = 'VALID' | 'RATE_LIMITED' | 'CREDITS_EXHAUSTED';

/** What the database decided; units and resets in the order of the key's rate limits. */
export interface QuotaDecision {
  code: QuotaCode;
  /** When it was decided, in epoch milliseconds of the database. */
  at: number;
  credits: number | null;
  units: readonly (number | null)[];
  resets: readonly (number | null)[];
  incarnation: string | null;
}

/** Another transaction holds the row of the key; nothing was consumed. */
export const LOCKED = Symbol('locked');
/** Null if the key has no row. */
export type QuotaAnswer = QuotaDecision | null | typeof LOCKED;
