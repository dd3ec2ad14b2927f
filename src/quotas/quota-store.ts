import type { Database, Statement } from '../db/database.ts';
import { isDataError, isRetryable, isTimeout, isUnavailable } from '../db/errors.ts';
import { counter, type Metric } from '../lib/metric.ts';
import { RequestBatcher } from '../lib/request-batcher.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import {
  LOCKED,
  type QuotaAnswer,
  type QuotaCode,
  type QuotaDecision,
  type QuotaRequest,
} from './decision.ts';
import { LockedRequests } from './locked-requests.ts';

const CONSUME: Statement = {
  name: 'consume_limits',
  text: 'select try_consume_limits($1, $2, $3, $4, $5, $6) as answer',
};

interface BatchAnswer {
  incarnation: string | null;
  codes: (number | null)[];
  times: (number | null)[];
  credits: (number | null)[];
  units: (number | null)[];
  resets: (number | null)[];
}

/** The batches of one stream are numbered upwards, so that a repeated one takes effect once. */
interface BatchStream {
  name: string;
  sequence: number;
}

const MAX_STREAMS = 2;
const MAX_RATE_LIMITS = 5;
const CODES: readonly QuotaCode[] = ['VALID', 'RATE_LIMITED', 'CREDITS_EXHAUSTED'];
const LOCKED_CODE = 3;

/**
 * Consumes credits and units by batched calls of the database function that decides. It passes over
 * rows that others have locked, so that a batch waits for none of them.
 */
export class QuotaStore {
  readonly #database: Database;
  readonly #instance: string;
  readonly #clockOffset: () => number;
  readonly #locked = new LockedRequests((requests) => this.#consume(requests));
  readonly #batcher: RequestBatcher<QuotaRequest, QuotaAnswer>;
  readonly #idleStreams: BatchStream[] = [];
  #streams = 0;
  #count = 0;
  #items = 0;
  #conflicts = 0;

  constructor(database: Database, instance: string, clockOffset: () => number, maxWaiting: number) {
    this.#database = database;
    this.#instance = instance;
    this.#clockOffset = clockOffset;
    this.#batcher = new RequestBatcher({
      run: (requests) => this.#consumeUnlocked(requests),
      maxInFlight: MAX_STREAMS,
      maxBatch: 500,
      maxWaiting,
    });
  }

  get resourceLimits(): ResourceLimit[] {
    return [this.#batcher.resourceLimit('quota_requests_waiting'), this.#locked.resourceLimit];
  }

  get metrics(): Metric[] {
    return [
      counter(
        'keyward_quota_statements_total',
        'Statements sent that consume rate limits and credits.',
        () => this.#count,
      ),
      counter(
        'keyward_quota_batch_items_total',
        'Verifications in these statements.',
        () => this.#items,
      ),
      counter(
        'keyward_quota_conflicts_total',
        'Verifications that found the row of their key locked, and ask again.',
        () => this.#conflicts,
      ),
    ];
  }

  async consume(request: QuotaRequest): Promise<QuotaDecision> {
    const answer = await this.#batcher.add(request);
    const decision = answer === LOCKED ? await this.#locked.add(request) : answer;
    if (!decision)
      throw new UnavailableError('a key with limits has no row to consume from, or a broken one');
    return decision;
  }

  /** Requests of a key of which others wait for its row follow those. */
  async #consumeUnlocked(requests: readonly QuotaRequest[]): Promise<QuotaAnswer[]> {
    const sent = requests.filter(({ keyId }) => !this.#locked.has(keyId));
    if (sent.length === requests.length) return this.#consume(requests);
    const answers = sent.length > 0 ? await this.#consume(sent) : [];
    const answerOf = new Map<QuotaRequest, QuotaAnswer>();
    for (const [index, request] of sent.entries()) answerOf.set(request, answers[index] ?? null);
    return requests.map((request): QuotaAnswer => {
      const answer = answerOf.get(request);
      return answer === undefined ? LOCKED : answer;
    });
  }

  /** A row that the function cannot work with had the whole batch refused: only its key is, by halves. */
  async #consume(requests: readonly QuotaRequest[]): Promise<QuotaAnswer[]> {
    try {
      return await this.#consumeTogether(requests);
    } catch (error) {
      if (!isDataError(error)) throw error;
      const [first, second] = halvesByKey(requests);
      if (second.size === 0) return requests.map(() => null);
      const answers = new Map<QuotaRequest, QuotaAnswer>();
      for (const half of [first, second]) {
        const asked = requests.filter(({ keyId }) => half.has(keyId));
        for (const [index, answer] of (await this.#consume(asked)).entries()) {
          const request = asked[index];
          if (request) answers.set(request, answer);
        }
      }
      return requests.map((request) => answers.get(request) ?? null);
    }
  }

  async #consumeTogether(requests: readonly QuotaRequest[]): Promise<QuotaAnswer[]> {
    const stream = this.#idleStreams.pop() ?? { name: `consume-${this.#streams++}`, sequence: 0 };
    stream.sequence++;
    try {
      const answer = await this.#sendWithRetry(stream, requests);
      const answers = requests.map((_, index) => decisionAt(answer, index));
      this.#conflicts += answers.filter((one) => one === LOCKED).length;
      return answers;
    } finally {
      this.#idleStreams.push(stream);
    }
  }

  /** A lost answer is asked for once more: the batch's number keeps it from consuming twice. */
  async #sendWithRetry(
    stream: BatchStream,
    requests: readonly QuotaRequest[],
  ): Promise<BatchAnswer> {
    try {
      return await this.#send(stream, requests);
    } catch (error) {
      if (!isUnavailable(error) && !isTimeout(error) && !isRetryable(error)) throw error;
      return this.#send(stream, requests);
    }
  }

  async #send(
    { name, sequence }: BatchStream,
    requests: readonly QuotaRequest[],
  ): Promise<BatchAnswer> {
    this.#count++;
    this.#items += requests.length;
    const [row] = await this.#database.query<{ answer: string | null }>(CONSUME, [
      this.#instance,
      name,
      sequence,
      requests.map(({ keyId }) => keyId),
      requests.map(({ cost }) => cost),
      Math.round(this.#clockOffset()),
    ]);
    if (!row?.answer) throw new UnavailableError('a batch of quota requests was not answered');
    const answer: BatchAnswer = JSON.parse(row.answer);
    return answer;
  }
}

/** The keys of a batch in two halves, in order. */
function halvesByKey(requests: readonly QuotaRequest[]): [Set<string>, Set<string>] {
  const keyIds = [...new Set(requests.map(({ keyId }) => keyId))];
  const middle = Math.ceil(keyIds.length / 2);
  return [new Set(keyIds.slice(0, middle)), new Set(keyIds.slice(middle))];
}

/** Null if the key has no row: that fails its own request, not those in the same batch. */
function decisionAt(answer: BatchAnswer, index: number): QuotaAnswer {
  if (answer.codes[index] === LOCKED_CODE) return LOCKED;
  const code = CODES[answer.codes[index] ?? -1];
  const at = answer.times[index] ?? null;
  if (!code || at === null) return null;
  const range = [MAX_RATE_LIMITS * index, MAX_RATE_LIMITS * (index + 1)] as const;
  return {
    code,
    at,
    credits: answer.credits[index] ?? null,
    units: answer.units.slice(...range),
    resets: answer.resets.slice(...range),
    incarnation: answer.incarnation,
  };
}
