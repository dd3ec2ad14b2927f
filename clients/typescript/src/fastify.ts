import type { FastifyReply, FastifyRequest, RouteGenericInterface } from 'fastify';
import { guard, type RequireKeyOptions } from './guard.ts';
import { logOnceASecond } from './log.ts';
import { presentedBy } from './node-request.ts';
import type { ValidVerdict } from './verdict.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The verdict on the caller's key, on routes that require one. */
    apiKey?: ValidVerdict;
  }
}

/**
 * For Fastify, as `onRequest`: before the body is read. The address is `request.ip`, which follows the
 * option `trustProxy`.
 */
export function requireKey<Route extends RouteGenericInterface = RouteGenericInterface>(
  options: RequireKeyOptions<FastifyRequest<Route>>,
) {
  const onError = logOnceASecond(toRequestLog);
  const decide = guard<FastifyRequest<Route>>({ onError, ...options });
  return async (request: FastifyRequest<Route>, reply: FastifyReply): Promise<unknown> => {
    const decision = await decide(request, presentedBy(request.raw, request.ip));
    if (decision.verdict !== null) {
      request.apiKey = decision.verdict;
      reply.headers(decision.headers);
      return undefined;
    }
    const { status, headers, body } = decision.refusal;
    return reply.code(status).headers(headers).send(body);
  };
}

function toRequestLog(line: string, { log }: Pick<FastifyRequest, 'log'>): void {
  log.error(line);
}
