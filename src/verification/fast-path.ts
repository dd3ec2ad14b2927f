import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type { Present } from '../call-context.ts';
import type { PresentedCaller } from '../domain/caller.ts';
import type { Admission } from '../http/admission.ts';
import { commonHeaders } from '../http/answer-headers.ts';
import type { Listener } from '../http/connections.ts';
import type { HandedOnRequests } from '../http/handed-on-requests.ts';
import { hasScheme } from '../http/key-scheme.ts';
import type { RequestIdGenerator } from '../http/request-id.ts';
import type { RequestLog } from '../http/request-log.ts';
import { hasRepeatedHeaders } from '../http/single-headers.ts';
import { readJson } from '../http/validation/json-body.ts';
import { parserOf } from '../http/validation/parsers.ts';
import { whenClosed } from '../http/when-closed.ts';
import { toError } from '../lib/to-error.ts';
import { ANSWER_TYPE, verificationJson } from './answer.ts';
import { VERIFY_BODY_LIMIT_BYTES, VERIFY_PATH, VerifyRequest } from './schemas.ts';
import type { Verification, Verifier } from './verifier.ts';

/** How most clients send JSON. */
const PLAIN_TYPES = new Set<string | undefined>([
  'application/json',
  'application/json; charset=utf-8',
]);

export interface VerifyFastPathDependencies {
  verifier: Verifier;
  present: Present;
  admission: Admission;
  requestIdOf: RequestIdGenerator;
  requestLog: RequestLog;
  handedOn: HandedOnRequests;
  isStopping: () => boolean;
}

/**
 * Answers verifications that memory can decide without Fastify, whose routing, parsing and replying take
 * longer than the verification. Everything else, and every refusal, is left to Fastify.
 */
export class VerifyFastPath {
  readonly #deps: VerifyFastPathDependencies;
  readonly #parse = parserOf(VerifyRequest);

  constructor(deps: VerifyFastPathDependencies) {
    this.#deps = deps;
  }

  before(framework: Listener): Listener {
    return (request, response) => {
      if (!isPlain(request) || this.#deps.isStopping()) return framework(request, response);
      const beganAt = performance.now();
      const handOn = (failure: Error | null) => {
        this.#deps.handedOn.add(request, { beganAt, failure });
        // Nobody may read it to its end: what is refused at its headers.
        whenClosed(response, () => request.resume());
        framework(request, response);
      };
      this.#answer(request, response, beganAt).then(
        (isAnswered) => {
          if (!isAnswered) handOn(null);
        },
        (error: unknown) => {
          if (response.headersSent) return void response.destroy();
          // To its end first: what is refused before that has its connection closed.
          finished(request.resume(), () => handOn(toError(error)));
        },
      );
    };
  }

  /** The route's first hook: what failed here may have been counted, so it is refused, not repeated. */
  refuseFailed = (
    { raw }: FastifyRequest,
    _reply: unknown,
    done: (error?: Error) => void,
  ): void => {
    done(this.#deps.handedOn.get(raw)?.failure ?? undefined);
  };

  /** False if it is not answered, and nothing of it is done. */
  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    beganAt: number,
  ): Promise<boolean> {
    const { headers } = request;
    const presented = this.#deps.present(headers.authorization);
    const caller = presented.recall()?.caller;
    // The route counts the calls of callers with a maximum.
    if (!caller?.permissions.has('keys:verify') || caller.maxRequestsPerSecond !== null)
      return false;
    // Node announces a request before the part of its body that came along, which is there one microtask later.
    await null;
    const length = contentLength(request);
    if (request.readableLength !== length) return false;
    const release = this.#deps.admission.enter(caller.group);
    // By its length: without one, what is read to its end could not be put back.
    const body: Buffer = request.read(length);
    const verification = await this.#verify(body, presented).finally(release);
    if (!verification) {
      request.unshift(body);
      return false;
    }
    // To its end, or Node would keep it, and the keys in it, until the next one.
    request.read();
    // The client may have hung up; the verification stays counted.
    if (response.destroyed) return true;
    const id = this.#deps.requestIdOf(request);
    send(response, id, verificationJson(verification, id));
    const answered = { id, headers, method: 'POST', route: VERIFY_PATH, status: 200 };
    const milliseconds = performance.now() - beganAt;
    this.#deps.requestLog.record({ ...answered, milliseconds, isSampled: true });
    return true;
  }

  /** Null if memory cannot tell, or it must be refused: nothing is counted then. */
  async #verify(body: Buffer, presented: PresentedCaller): Promise<Verification | null> {
    const parsed = this.#parse(jsonOf(body));
    if ('errors' in parsed || hasScheme(parsed.value.key)) return null;
    return this.#deps.verifier.recall(parsed.value, presented);
  }
}

/** A verification as most clients send it: JSON of a declared length, not encoded, and no header twice. */
function isPlain(request: IncomingMessage): boolean {
  const { method, url, headers } = request;
  if (url !== VERIFY_PATH || method !== 'POST') return false;
  if (!PLAIN_TYPES.has(headers['content-type'])) return false;
  if (headers['content-encoding'] || headers.expect || hasRepeatedHeaders(request)) return false;
  const length = contentLength(request);
  return length > 0 && length <= VERIFY_BODY_LIMIT_BYTES;
}

/** NaN if it is not declared. */
function contentLength({ headers }: IncomingMessage): number {
  return Number(headers['content-length']);
}

/** Undefined, which no schema accepts, if it is no JSON. */
function jsonOf(body: Buffer): unknown {
  try {
    return readJson(body);
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, requestId: string, text: string): void {
  response.writeHead(200, {
    ...commonHeaders(requestId),
    'content-type': ANSWER_TYPE,
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
