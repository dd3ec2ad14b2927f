import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { Present } from '../call-context.ts';
import type { PresentedCaller } from '../domain/caller.ts';
import type { Admission } from '../http/admission.ts';
import { answerHeaders } from '../http/answer-headers.ts';
import type { Listener } from '../http/connections.ts';
import { hasScheme } from '../http/key-scheme.ts';
import type { RequestIdGenerator } from '../http/request-id.ts';
import type { RequestLog } from '../http/request-log.ts';
import { hasRepeatedHeaders } from '../http/single-headers.ts';
import { parseShort } from '../http/validation/json-body.ts';
import { parserOf } from '../http/validation/parsers.ts';
import { ANSWER_TYPE, verificationJson } from './answer.ts';
import { VerifyRequest } from './schemas.ts';
import type { Verification, Verifier } from './verifier.ts';

export const VERIFY_PATH = '/v1/verify';
export const VERIFY_BODY_LIMIT_BYTES = 32_768;
/** How most clients send JSON. */
const PLAIN_TYPES = new Set<unknown>(['application/json', 'application/json; charset=utf-8']);
/** Whoever awaits it goes on when Node's parser has handed on what it has of the body. */
const PARSED = Promise.resolve();

export interface RecalledAnswersDependencies {
  verifier: Verifier;
  present: Present;
  admission: Admission;
  requestIdOf: RequestIdGenerator;
  requestLog: RequestLog;
  isStopping: () => boolean;
}

/** Who asks, and how long the body is. */
interface Plain {
  presented: PresentedCaller;
  group: string;
  length: number;
}

/**
 * Answers a verification that memory can answer alone in front of the framework, whose routing, reading
 * and replying take longer than the verification. Whatever it cannot answer, or would have to refuse, goes
 * on to the framework as it came: the rules for it stand there.
 */
export class RecalledAnswers {
  readonly #deps: RecalledAnswersDependencies;
  readonly #parse = parserOf(VerifyRequest);
  /** Why requests that may have been counted were not answered. */
  readonly #failures = new WeakMap<IncomingMessage, Error>();

  constructor(deps: RecalledAnswersDependencies) {
    this.#deps = deps;
  }

  inFrontOf(next: Listener): Listener {
    return (request, response) => {
      const plain = this.#plain(request);
      if (!plain) return next(request, response);
      void this.#answer(request, response, plain).then((isAnswered) => {
        if (!isAnswered) next(request, response);
      });
    };
  }

  /** The first hook of the route: what failed here is refused there, and not done again. */
  refuseFailed = (
    request: FastifyRequest,
    _reply: unknown,
    done: (error?: Error) => void,
  ): void => {
    done(this.#failures.get(request.raw));
  };

  /** Null if it is not a verification as most clients send it, of a caller that memory knows. */
  #plain(request: IncomingMessage): Plain | null {
    const { method, url, headers } = request;
    if (url !== VERIFY_PATH || method !== 'POST' || this.#deps.isStopping()) return null;
    const length = plainLength(headers);
    if (!(length > 0 && length <= VERIFY_BODY_LIMIT_BYTES)) return null;
    if (hasRepeatedHeaders(request)) return null;
    const presented = this.#deps.present(headers.authorization);
    const caller = presented.recall()?.caller;
    // A call of one with a maximum counts, and is refused, in the route.
    if (!caller?.permissions.has('keys:verify') || caller.maxRequestsPerSecond) return null;
    return { presented, group: caller.group, length };
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    { presented, group, length }: Plain,
  ): Promise<boolean> {
    const began = performance.now();
    await PARSED;
    const leave = request.readableLength === length && this.#deps.admission.tryEnter(group);
    if (!leave) return false;
    const body = request.read();
    const verification = await this.#verify(request, body, presented).finally(leave);
    if (!verification) {
      request.unshift(body);
      return false;
    }
    const id = this.#deps.requestIdOf(request);
    if (!response.destroyed) {
      send(response, id, verificationJson(verification, id));
      const { headers } = request;
      this.#deps.requestLog.verified({ id, headers }, VERIFY_PATH, performance.now() - began);
    }
    return true;
  }

  async #verify(
    request: IncomingMessage,
    body: Buffer,
    presented: PresentedCaller,
  ): Promise<Verification | null> {
    const value = parseShort(body);
    const parsed = value instanceof Error ? null : this.#parse(value);
    if (!parsed || 'errors' in parsed || hasScheme(parsed.value.key)) return null;
    try {
      return await this.#deps.verifier.recall(parsed.value, presented);
    } catch (error) {
      this.#failures.set(request, error instanceof Error ? error : new Error(String(error)));
      return null;
    }
  }
}

/** NaN unless it is JSON as most clients send it: at once, neither in chunks nor encoded. */
function plainLength(headers: IncomingHttpHeaders): number {
  const isPlain = PLAIN_TYPES.has(headers['content-type']) && !headers['content-encoding'];
  return isPlain && !headers.expect ? Number(headers['content-length']) : Number.NaN;
}

function send(response: ServerResponse, requestId: string, text: string): void {
  response.writeHead(200, {
    ...answerHeaders(requestId),
    'content-type': ANSWER_TYPE,
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
