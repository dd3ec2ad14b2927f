import type { Database, Statement } from '../db/database.ts';
import { isRetryable, isUnavailable } from '../db/errors.ts';
import { RequestBatcher } from '../lib/request-batcher.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';

const CONSUME: Statement = {
  name: 'consume_limits',
  text: 'select consume_limits($1, $2, $3, $4, $5, $6) as answer',
};

/** One verification of a key with limits or credits. */
export interface QuotaRequest {
  keyId: string;
  cost: number;
}

export type QuotaCode = 'VALID' | 'RATE_LIMITED' | 'CREDITS_EXHAUSTED';

/** What became of it; units and resets in the order of the key's limits. */
export interface QuotaDecision {
  code: QuotaCode;
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
interface BatchStream {
  name: string;
  sequence: number;
}

const MAX_STREAMS = 2;
const MAX_RATE_LIMITS = 5;
const CODES: readonly QuotaCode[] = ['VALID', 'RATE_LIMITED', 'CREDITS_EXHAUSTED'];

/** Spends credits and units: coalesced calls of the one database function that decides. */
export class QuotaStore {
  readonly #database: Database;
  readonly #instance: string;
  readonly #clockOffset: () => number;
  readonly #batcher = new RequestBatcher<QuotaRequest, QuotaDecision | null>({
    run: (spendings) => this.#consume(spendings),
    maxInFlight: MAX_STREAMS,
    maxBatch: 500,
    maxWaiting: 20_000,
  });
  readonly #idleStreams: BatchStream[] = [];
  #streams = 0;
  #count = 0;

  constructor(database: Database, instance: string, clockOffset: () => number) {
    this.#database = database;
    this.#instance = instance;
    this.#clockOffset = clockOffset;
  }

  get resourceLimits(): ResourceLimit[] {
    return [this.#batcher.resourceLimit('spendings_waiting')];
  }

  /** Statements sent since the start. */
  get count(): number {
    return this.#count;
  }

  async consume(spending: QuotaRequest): Promise<QuotaDecision> {
    const spent = await this.#batcher.add(spending);
    if (!spent) throw new UnavailableError('a key with limits has no row to spend from');
    return spent;
  }

  async #consume(spendings: readonly QuotaRequest[]): Promise<(QuotaDecision | null)[]> {
    const lane = this.#idleStreams.pop() ?? { name: `consume-${this.#streams++}`, sequence: 0 };
    lane.sequence++;
    try {
      const answer = await this.#sendWithRetry(lane, spendings);
      return spendings.map((_, index) => decisionAt(answer, index));
    } finally {
      this.#idleStreams.push(lane);
    }
  }

  /** A lost answer is asked for once more: the batch's number keeps it from spending twice. */
  async #sendWithRetry(
    lane: BatchStream,
    spendings: readonly QuotaRequest[],
  ): Promise<BatchAnswer> {
    try {
      return await this.#send(lane, spendings);
    } catch (error) {
      if (!isUnavailable(error) && !isRetryable(error)) throw error;
      return this.#send(lane, spendings);
    }
  }

  async #send(
    { name, sequence }: BatchStream,
    spendings: readonly QuotaRequest[],
  ): Promise<BatchAnswer> {
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
function decisionAt(answer: BatchAnswer, index: number): QuotaDecision | null {
  const code = CODES[answer.codes[index] ?? -1];
  const at = answer.times[index] ?? null;
  if (!code || at === null) return null;
  const places = [MAX_RATE_LIMITS * index, MAX_RATE_LIMITS * (index + 1)] as const;
  return {
    code,
    at,
    credits: answer.credits[index] ?? null,
    units: answer.units.slice(...places),
    resets: answer.resets.slice(...places),
    incarnation: answer.incarnation,
  };
}
