import { KeywardError } from './error.ts';

/** Answers questions, in their order. What it throws is the outcome of each of them. */
type Ask<T> = (texts: readonly string[], signal: AbortSignal) => Promise<(T | KeywardError)[]>;

export interface BatcherOptions<T> {
  ask: Ask<T>;
  /** Calls at once. */
  maxInFlight: number;
  /** Questions in a call. */
  maxBatch: number;
  /** Questions that wait for a call. */
  maxQueued: number;
}

interface Question<T> {
  text: string;
  settle: (outcome: T | KeywardError) => void;
  fail: (reason: unknown) => void;
  /** Whether the one who asked has given up. */
  hasLeft: boolean;
  /** Tells the call that it is part of. */
  leave: () => void;
}

interface Asker<T> {
  resolve: (answer: T) => void;
  reject: (reason: unknown) => void;
  signal: AbortSignal;
}

/** A body is 1 MiB at most, and a character three bytes. */
const MAX_BATCH_CHARACTERS = 300_000;

/**
 * Asks at once while few calls are under way. What comes meanwhile waits for the next call, and goes
 * with all that waits: the more load, the larger the batches, and no timer delays anybody.
 */
export class RequestBatcher<T> {
  readonly #options: BatcherOptions<T>;
  readonly #waiting = new Set<Question<T>>();
  #maxBatch: number;
  #inFlight = 0;
  #isScheduled = false;

  constructor(options: BatcherOptions<T>) {
    this.#options = options;
    this.#maxBatch = options.maxBatch;
  }

  async ask(text: string, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.#waiting.size >= this.#options.maxQueued) throw queueFull(this.#waiting.size);
    return new Promise<T>((resolve, reject) => {
      const question = this.#questionOf(text, { resolve, reject, signal });
      this.#waiting.add(question);
      this.#schedule();
    });
  }

  #questionOf(text: string, { resolve, reject, signal }: Asker<T>): Question<T> {
    const withdraw = () => {
      this.#waiting.delete(question);
      question.hasLeft = true;
      question.leave();
      reject(signal.reason);
    };
    const ended = () => signal.removeEventListener('abort', withdraw);
    const fail = (reason: unknown) => {
      ended();
      reject(reason);
    };
    const settle = (outcome: T | KeywardError) => {
      ended();
      if (outcome instanceof KeywardError) reject(outcome);
      else resolve(outcome);
    };
    const question: Question<T> = { text, settle, fail, hasLeft: false, leave: () => {} };
    signal.addEventListener('abort', withdraw);
    return question;
  }

  /** After what runs now: calls of one turn share a batch. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      while (this.#waiting.size > 0 && this.#inFlight < this.#options.maxInFlight) {
        void this.#sendNext();
      }
    });
  }

  async #sendNext(): Promise<void> {
    this.#inFlight++;
    await this.#send(this.#takeBatch());
    this.#inFlight--;
    if (this.#waiting.size > 0) this.#schedule();
  }

  #takeBatch(): Question<T>[] {
    const batch: Question<T>[] = [];
    let characters = 0;
    for (const question of this.#waiting) {
      characters += question.text.length;
      const isFull = batch.length >= this.#maxBatch || characters > MAX_BATCH_CHARACTERS;
      if (isFull && batch.length > 0) break;
      batch.push(question);
      this.#waiting.delete(question);
    }
    return batch;
  }

  async #send(questions: readonly Question<T>[]): Promise<void> {
    const batch = questions.filter(({ hasLeft }) => !hasLeft);
    if (batch.length === 0) return;
    try {
      const texts = batch.map(({ text }) => text);
      const outcomes = await this.#options.ask(texts, signalOf(batch));
      for (const [index, question] of batch.entries()) {
        const outcome = outcomes[index];
        if (outcome !== undefined) question.settle(outcome);
      }
    } catch (error) {
      if (batch.length > 1 && isRefusedWhole(error)) return this.#sendHalves(batch, error);
      for (const question of batch) question.fail(error);
    }
  }

  /**
   * A batch that is refused for what it is: nothing in it was verified. A management key with a maximum
   * of requests a second takes no more items at once than that; from now on, batches are smaller.
   */
  async #sendHalves(batch: readonly Question<T>[], { errors }: KeywardError): Promise<void> {
    const half = Math.ceil(batch.length / 2);
    if (errors.some(({ pointer }) => pointer === '/body/requests')) {
      this.#maxBatch = Math.min(this.#maxBatch, half);
    }
    await this.#send(batch.slice(0, half));
    await this.#send(batch.slice(half));
  }
}

/** Ends the call when all who asked have given up. */
function signalOf<T>(batch: readonly Question<T>[]): AbortSignal {
  const call = new AbortController();
  let open = batch.length;
  for (const question of batch) {
    question.leave = () => {
      open--;
      if (open === 0) call.abort(new Error('nobody waits for the answer'));
    };
  }
  return call.signal;
}

function isRefusedWhole(error: unknown): error is KeywardError {
  if (!(error instanceof KeywardError)) return false;
  const { status, code } = error;
  return status === 413 || (status === 400 && code !== 'BAD_ANSWER');
}

function queueFull(count: number): KeywardError {
  const detail = `${count} verifications wait for an answer of Keyward already`;
  return new KeywardError({ code: 'QUEUE_FULL', detail, retryAfterSeconds: 1 });
}
