import type { Database, Statement } from '../db/database.ts';
import { isRetryable, isUnavailable } from '../db/errors.ts';
import type { Bound } from '../lib/bound.ts';
import { Coalescer } from '../lib/coalescer.ts';
import { UnavailableError } from '../lib/unavailable.ts';

const CONSUME: Statement = {
  name: 'consume_limits',
  text: 'select consume_limits($1, $2, $3, $4, $5, $6) as answer',
};

/** One verification of a key with limits or credits. */
export interface Spending {
  keyId: string;
  cost: number;
}

export type SpendingCode = 'VALID' | 'RATE_LIMITED' | 'CREDITS_EXHAUSTED';

/** What became of it; units and resets in the order of the key's limits. */
export interface Spent {
  code: SpendingCode;
  /** When it was decided, in epoch milliseconds of the database. */
  at: number;
  credits: number | null;
  units: readonly (number | null)[];
  resets: readonly (number | null)[];
  incarnation: string | null;
}

interface BatchAnswer {
  incarnation: string | null;
  codes: (number | null)[];
  times: (number | null)[];
  credits: (number | null)[];
  units: (number | null)[];
  resets: (number | null)[];
}

/** Batches of one lane are numbered upwards, so that a repeated one takes effect once. */
interface Lane {
  name: string;
  sequence: number;
}

const LANES = 2;
const PLACES = 5;
const CODES: readonly SpendingCode[] = ['VALID', 'RATE_LIMITED', 'CREDITS_EXHAUSTED'];

/** Spends credits and units: coalesced calls of the one database function that decides. */
export class Consumer {
  readonly #database: Database;
  readonly #instance: string;
  readonly #clockOffset: () => number;
  readonly #coalescer = new Coalescer<Spending, Spent | null>({
    run: (spendings) => this.#consume(spendings),
    maxInFlight: LANES,
    maxBatch: 500,
    maxWaiting: 20_000,
  });
  readonly #idle: Lane[] = [];
  #lanes = 0;
  #count = 0;

  constructor(database: Database, instance: string, clockOffset: () => number) {
    this.#database = database;
    this.#instance = instance;
    this.#clockOffset = clockOffset;
  }

  get bounds(): Bound[] {
    return [this.#coalescer.boundAs('spendings_waiting')];
  }

  /** Statements sent since the start. */
  get count(): number {
    return this.#count;
  }

  async spend(spending: Spending): Promise<Spent> {
    const spent = await this.#coalescer.add(spending);
    if (!spent) throw new UnavailableError('a key with limits has no row to spend from');
    return spent;
  }

  async #consume(spendings: readonly Spending[]): Promise<(Spent | null)[]> {
    const lane = this.#idle.pop() ?? { name: `consume-${this.#lanes++}`, sequence: 0 };
    lane.sequence++;
    try {
      const answer = await this.#sendTwice(lane, spendings);
      return spendings.map((_, index) => spentOf(answer, index));
    } finally {
      this.#idle.push(lane);
    }
  }

  /** A lost answer is asked for once more: the batch's number keeps it from spending twice. */
  async #sendTwice(lane: Lane, spendings: readonly Spending[]): Promise<BatchAnswer> {
    try {
      return await this.#send(lane, spendings);
    } catch (error) {
      if (!isUnavailable(error) && !isRetryable(error)) throw error;
      return this.#send(lane, spendings);
    }
  }

  async #send({ name, sequence }: Lane, spendings: readonly Spending[]): Promise<BatchAnswer> {
    this.#count++;
    const [row] = await this.#database.query<{ answer: string | null }>(CONSUME, [
      this.#instance,
      name,
      sequence,
      spendings.map(({ keyId }) => keyId),
      spendings.map(({ cost }) => cost),
      Math.round(this.#clockOffset()),
    ]);
    if (!row?.answer) throw new UnavailableError('a batch of limits was not answered');
    const answer: BatchAnswer = JSON.parse(row.answer);
    return answer;
  }
}

/** Null where the key has no row: that fails who asked for it, not who asked beside him. */
function spentOf(answer: BatchAnswer, index: number): Spent | null {
  const code = CODES[answer.codes[index] ?? -1];
  const at = answer.times[index] ?? null;
  if (!code || at === null) return null;
  const places = [PLACES * index, PLACES * (index + 1)] as const;
  return {
    code,
    at,
    credits: answer.credits[index] ?? null,
    units: answer.units.slice(...places),
    resets: answer.resets.slice(...places),
    incarnation: answer.incarnation,
  };
}
