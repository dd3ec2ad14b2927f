import type { Orm } from '../db/database.ts';
import type { Clock } from '../lib/clock.ts';
import { findKey } from './key-records.ts';
import { presentCredits, presentLimits } from './quota-status.ts';

/** Reads how the rate limits and credits of a key stand, without consuming any. */
export class QuotaReader {
  readonly #orm: Orm;
  readonly #clock: Clock;

  constructor(orm: Orm, clock: Clock) {
    this.#orm = orm;
    this.#clock = clock;
  }

  /** Null if the key has been deleted. */
  async read(keyId: string) {
    const record = await findKey(this.#orm, null, keyId);
    if (!record) return null;
    const { key, consumption } = record;
    const now = this.#clock.now();
    return {
      rateLimits: presentLimits(key, consumption, now),
      credits: presentCredits(key, consumption, now),
    };
  }
}

export type QuotaState = NonNullable<Awaited<ReturnType<QuotaReader['read']>>>;
