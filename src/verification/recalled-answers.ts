import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest, RequestPayload } from 'fastify';
import type { Admission } from '../http/admission.ts';
import { presentedCaller } from '../http/caller-at-headers.ts';
import { hasScheme } from '../http/key-scheme.ts';
import { parseShort, readWithin } from '../http/validation/json-body.ts';
import { parserOf } from '../http/validation/parsers.ts';
import { ANSWER_TYPE, verificationJson } from './answer.ts';
import { VerifyRequest } from './schemas.ts';
import type { Verifier } from './verifier.ts';

/** How most clients send JSON. */
const PLAIN_TYPES = new Set<unknown>(['application/json', 'application/json; charset=utf-8']);

export interface RecalledAnswersOptions {
  verifier: Verifier;
  admission: Admission;
  url: string;
  limit: number;
}

type Done = (error?: Error | null, payload?: RequestPayload) => void;

/**
 * Answers a verification that memory can answer alone, before the framework parses, validates and
 * calls a handler, which takes longer than the verification. Whatever it cannot answer, or would have
 * to refuse, goes on to the handler as it came.
 */
export function recallAnswers({ verifier, admission, url, limit }: RecalledAnswersOptions) {
  const parse = parserOf(VerifyRequest);

  const recall = async (request: FastifyRequest, body: Buffer): Promise<string | null> => {
    const value = parseShort(body);
    const parsed = value instanceof Error ? null : parse(value);
    if (!parsed || 'errors' in parsed || hasScheme(parsed.value.key)) return null;
    const leave = admission.enter(request.callerGroup);
    try {
      const verification = await verifier.recall(parsed.value, presentedCaller(request));
      return verification && verificationJson(verification, request.id);
    } finally {
      leave();
    }
  };

  return (request: FastifyRequest, reply: FastifyReply, payload: RequestPayload, done: Done) => {
    const declared = declaredLength(request);
    const isPlain = request.url === url && declared > 0 && declared <= limit;
    if (!isPlain) return done(null, payload);
    readWithin(admission.bodies, request, payload, { declared, limit }, (error, body) => {
      if (error || !body) return done(error);
      recall(request, body).then((answer) => {
        if (answer === null) done(null, Readable.from([body]));
        else reply.header('content-type', ANSWER_TYPE).send(answer);
      }, done);
    });
  };
}

/** NaN unless it is JSON as most clients send it: neither in chunks nor encoded. */
function declaredLength({ headers }: FastifyRequest): number {
  const isPlain = PLAIN_TYPES.has(headers['content-type']) && !headers['content-encoding'];
  return isPlain ? Number(headers['content-length']) : Number.NaN;
}
