import { Deadline } from './deadline.ts';
import type { KeywardError } from './error.ts';
import { exchange, type Fetch, notKeyward, problemOf } from './exchange.ts';
import { isObject, parseJson } from './json.ts';
import { RequestBatcher } from './request-batcher.ts';
import { isSurelyUnasked, isTransient, retrying } from './retry.ts';
import { readResult, readVerdict, type Verdict, type VerifyRequest } from './verdict.ts';

export interface VerifyOptions {
  /** Gives up: rejects with its reason. The verification may have been counted. */
  signal?: AbortSignal;
  /** In place of the client's. */
  timeoutMs?: number;
  /**
   * Asking twice does no harm: the key has no limits and no credits, or what it consumes does not
   * matter. Then it is asked again also where the first question may have been answered.
   */
  idempotent?: boolean;
}

export interface VerificationSettings {
  url: string;
  authorization: string;
  fetch: Fetch;
  timeoutMs: number;
  retries: number;
  maxInFlight: number;
  maxBatch: number;
  maxQueued: number;
}

/** Asks for verdicts, together where there are several at once. None is kept: each is asked for. */
export class Verifications {
  readonly #settings: VerificationSettings;
  readonly #batcher: RequestBatcher<Verdict>;

  constructor(settings: VerificationSettings) {
    this.#settings = settings;
    const ask = (texts: readonly string[], signal: AbortSignal) =>
      texts.length === 1 ? this.#askOne(texts, signal) : this.#askMany(texts, signal);
    this.#batcher = new RequestBatcher({ ...settings, ask });
  }

  async verify(request: VerifyRequest, options: VerifyOptions): Promise<Verdict> {
    const text = JSON.stringify(request);
    const isRepeatable = options.idempotent === true || request.cost === 0;
    const mayRepeat = isRepeatable ? isTransient : isSurelyUnasked;
    const { timeoutMs = this.#settings.timeoutMs } = options;
    const deadline = new Deadline(timeoutMs, options.signal);
    try {
      const { retries } = this.#settings;
      const attempt = () => this.#batcher.ask(text, deadline.signal);
      return await retrying(attempt, { retries, mayRepeat, deadline });
    } finally {
      deadline.release();
    }
  }

  async #askOne([text = '']: readonly string[], signal: AbortSignal): Promise<Verdict[]> {
    return [readVerdict(await this.#post('/v1/verify', text, signal))];
  }

  async #askMany(
    texts: readonly string[],
    signal: AbortSignal,
  ): Promise<(Verdict | KeywardError)[]> {
    const body = `{"requests":[${texts.join()}]}`;
    const answer = await this.#post('/v1/verify/batch', body, signal);
    const results = isObject(answer) ? answer.results : null;
    if (!Array.isArray(results) || results.length !== texts.length) throw notKeyward(200);
    return results.map(readResult);
  }

  async #post(path: string, body: string, signal: AbortSignal): Promise<unknown> {
    const { url, authorization, fetch } = this.#settings;
    const headers = { authorization, 'content-type': 'application/json' };
    const answer = await exchange(fetch, {
      ...{ url: url + path, method: 'POST', headers, body, signal },
    });
    if (answer.status !== 200) throw problemOf(answer);
    return parseJson(answer.text);
  }
}
