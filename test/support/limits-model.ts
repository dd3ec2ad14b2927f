/**
 * A second implementation of limits and credits, written to be obviously right: a log of everything
 * that was consumed, and a calendar that is walked day by day.
 */
export interface ModelLimit {
  name: string;
  limit: number;
  windowSeconds: number;
}

export interface ModelRefill {
  interval: 'daily' | 'monthly';
  amount: number;
  dayOfMonth: number | null;
}

export interface ModelAnswer {
  code: 'VALID' | 'RATE_LIMITED' | 'CREDITS_EXHAUSTED';
  credits: number | null;
  units: number[];
  resets: (number | null)[];
}

const DAY_MS = 86_400_000;

export class KeyModel {
  readonly limits: readonly ModelLimit[];
  readonly refill: ModelRefill | null;
  credits: number | null;
  #refilledAt: number;
  #consumed: { at: number; cost: number }[] = [];

  constructor(
    limits: readonly ModelLimit[],
    credits: number | null,
    refill: ModelRefill | null,
    createdAt: number,
  ) {
    this.limits = limits;
    this.credits = credits;
    this.refill = refill;
    this.#refilledAt = createdAt;
  }

  /** Decides the verifications in order; the resets are those after the last one. */
  consumeAll(costs: readonly number[], now: number): ModelAnswer[] {
    this.#refillIfDue(now);
    const answers = costs.map((cost) => this.#consume(cost, now));
    const resets = this.limits.map((limit) => this.#reset(limit, now));
    return answers.map((answer) => ({ ...answer, resets }));
  }

  used(limit: ModelLimit, now: number): number {
    return this.#live(limit, now).reduce((sum, { cost }) => sum + cost, 0);
  }

  #consume(cost: number, now: number): Omit<ModelAnswer, 'resets'> {
    const code = this.#evaluate(cost, now);
    if (code === 'VALID' && cost > 0) {
      this.#consumed.push({ at: now, cost });
      if (this.credits !== null) this.credits -= cost;
    }
    const units = this.limits.map((limit) => Math.max(0, limit.limit - this.used(limit, now)));
    return { code, credits: this.credits, units };
  }

  #evaluate(cost: number, now: number): ModelAnswer['code'] {
    if (cost === 0) return 'VALID';
    if (this.limits.some((limit) => this.used(limit, now) + cost > limit.limit)) {
      return 'RATE_LIMITED';
    }
    return this.credits !== null && this.credits < cost ? 'CREDITS_EXHAUSTED' : 'VALID';
  }

  /** What was consumed in the slices (twentieths of the window) that the window still overlaps. */
  #live({ windowSeconds }: ModelLimit, now: number) {
    const slice = (at: number) => Math.floor(at / (windowSeconds * 50));
    return this.#consumed.filter(({ at }) => slice(at) >= slice(now) - 20);
  }

  #reset(limit: ModelLimit, now: number): number | null {
    const [oldest] = this.#live(limit, now);
    const length = limit.windowSeconds * 50;
    return oldest ? (Math.floor(oldest.at / length) + 21) * length : null;
  }

  #refillIfDue(now: number): void {
    if (!this.refill) return;
    const due = naiveLastRefill(this.refill, now);
    if (due <= this.#refilledAt) return;
    this.credits = this.refill.amount;
    this.#refilledAt = due;
  }
}

/** Whether a refill is due on the UTC day that begins at this time. */
function isRefillDay({ interval, dayOfMonth }: ModelRefill, midnight: number): boolean {
  if (interval === 'daily') return true;
  const wanted = dayOfMonth ?? 1;
  const day = new Date(midnight).getUTCDate();
  const isLastOfMonth = new Date(midnight + DAY_MS).getUTCDate() === 1;
  return day === wanted || (isLastOfMonth && day < wanted);
}

export function naiveLastRefill(refill: ModelRefill, now: number): number {
  let midnight = now - (now % DAY_MS);
  while (!isRefillDay(refill, midnight)) midnight -= DAY_MS;
  return midnight;
}

export function naiveNextRefill(refill: ModelRefill, now: number): number {
  let midnight = now - (now % DAY_MS) + DAY_MS;
  while (!isRefillDay(refill, midnight)) midnight += DAY_MS;
  return midnight;
}
