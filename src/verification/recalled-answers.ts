import type { IncomingMessage, ServerResponse } from 'node:http';
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
/** To await it lets Node’s parser hand on what has arrived of the body. */
const PARSED = Promise.resolve();

export interface RecalledAnswersDependencies {
  verifier: Verifier;
  present: Present;
  admission: Admission;
  requestIdOf: RequestIdGenerator;
  requestLog: RequestLog;
  isStopping: () => boolean;
}

/**
 * Answers a verification that memory can answer alone in front of the framework, whose routing, reading
 * and replying take longer than the verification. Whatever it cannot answer, or would have to refuse, goes
 * on to the framework as it came: the rules for it stand there.
 */
export class RecalledAnswers {
  readonly #deps: RecalledAnswersDependencies;
  readonly #parse = parserOf(VerifyRequest);
  /** Why requests were not answered that may have been counted. */
  readonly #failures = new WeakMap<IncomingMessage, Error>();

  constructor(deps: RecalledAnswersDependencies) {
    this.#deps = deps;
  }

  inFrontOf(next: Listener): Listener {
    return async (request, response) => {
      if (!isPlain(request) || this.#deps.isStopping()) return next(request, response);
      const isAnswered = await this.#answer(request, response).catch((error: unknown) => {
        this.#failures.set(request, toError(error));
        return false;
      });
      if (!isAnswered) next(request, response);
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

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const began = performance.now();
    const { headers } = request;
    const presented = this.#deps.present(headers.authorization);
    const caller = presented.recall()?.caller;
    // A call of one with a maximum counts, and is refused, in the route.
    if (!caller?.permissions.has('keys:verify') || caller.maxRequestsPerSecond) return false;
    await PARSED;
    const leave = hasArrived(request) ? this.#deps.admission.tryEnter(caller.group) : null;
    if (!leave) return false;
    const body: Buffer = request.read();
    const verification = await this.#verify(body, presented).finally(leave);
    if (!verification) {
      request.unshift(body);
      return false;
    }
    // Of a client that has hung up, it was counted all the same.
    if (response.destroyed) return true;
    const id = this.#deps.requestIdOf(request);
    send(response, id, verificationJson(verification, id));
    // Its end, or Node would keep the request, which has keys in it, until the next one.
    request.read();
    this.#deps.requestLog.verified({ id, headers }, VERIFY_PATH, performance.now() - began);
    return true;
  }

  /** Null if memory cannot tell, or it must be refused: nothing is counted then. */
  async #verify(body: Buffer, presented: PresentedCaller): Promise<Verification | null> {
    const value = parseShort(body);
    const parsed = value instanceof Error ? null : this.#parse(value);
    if (!parsed || 'errors' in parsed || hasScheme(parsed.value.key)) return null;
    return this.#deps.verifier.recall(parsed.value, presented);
  }
}

/** A verification as most clients send it: JSON at once, neither in chunks nor encoded. */
function isPlain(request: IncomingMessage): boolean {
  const { method, url, headers } = request;
  if (url !== VERIFY_PATH || method !== 'POST') return false;
  if (!PLAIN_TYPES.has(headers['content-type'])) return false;
  if (headers['content-encoding'] || headers.expect || hasRepeatedHeaders(request)) return false;
  const length = lengthOf(request);
  return length > 0 && length <= VERIFY_BODY_LIMIT_BYTES;
}

/** NaN if it is not declared. */
function lengthOf({ headers }: IncomingMessage): number {
  return Number(headers['content-length']);
}

/** Whether all of the body is there. */
function hasArrived(request: IncomingMessage): boolean {
  return request.readableLength === lengthOf(request);
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function send(response: ServerResponse, requestId: string, text: string): void {
  response.writeHead(200, {
    ...answerHeaders(requestId),
    'content-type': ANSWER_TYPE,
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
