import {
  type FastifyBaseLogger,
  type FastifyContextConfig,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Log } from '../lib/log-events.ts';
import type { App } from './app-type.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { traceIdOf } from './trace-parent.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Why it was answered with a 5xx. */
    failure: { code: string; err: Error } | null;
  }
}

/** Fastify's options for a log in which registerRequestLog alone writes the lines of requests. */
export function fastifyLogging(log: FastifyBaseLogger) {
  const options = { disableRequestLogging: true, requestIdLogLabel: 'requestId' };
  return { loggerInstance: log, logController: new LogController(options) };
}

/**
 * Counts each request, and writes one line for it, with the pattern of its route and never its URL. A line costs a fifth
 * of a verification, so only a bounded number of successful ones is logged each second.
 */
export function registerRequestLog(
  app: App,
  verifyPerSecond: number,
  metrics: RequestMetrics,
): void {
  const isWithinLimit = perSecond(verifyPerSecond);
  const isSkipped = ({ logSampled }: FastifyContextConfig, status: number) =>
    logSampled === true && status < 400 && !isWithinLimit();

  // Log lines contain the request id, so no request needs a logger of its own.
  app.setChildLoggerFactory((logger) => logger);
  app.decorateRequest('failure', null);
  app.addHook('onResponse', (request, reply, done) => {
    const { config, url: route = 'none' } = request.routeOptions;
    metrics.count(route, request.method, reply.statusCode, reply.elapsedTime);
    if (!isSkipped(config, reply.statusCode)) logRequest(request, reply, route);
    done();
  });
}

/** Failures are warnings and errors, which the logger bounds where they repeat. */
function logRequest(request: FastifyRequest, reply: FastifyReply, route: string): void {
  const { failure } = request;
  const log: Log = request.log;
  const { statusCode } = reply;
  const line = {
    ...requestFields(request),
    method: request.method,
    route,
    status: statusCode,
    durationMs: Math.round(reply.elapsedTime * 1000) / 1000,
    keyId: keyIdOf(request),
    actor: request.call?.actor.id,
  };
  if (statusCode < 500) log.info({ event: 'request', ...line }, 'request');
  else if (!failure) log.warn({ event: 'request', ...line }, 'request');
  else if (statusCode === 503)
    log.warn({ event: 'request.unavailable', ...line, ...failure }, 'no answer');
  else log.error({ event: 'request.failed', ...line, ...failure }, 'request failed');
}

/** What each line about a request begins with: by what it is found, here and in traces. */
export function requestFields({ id: requestId, headers }: FastifyRequest) {
  return { requestId, traceId: traceIdOf(headers) };
}

/** True for the first `max` calls of each second. */
function perSecond(max: number): () => boolean {
  let second = 0;
  let count = 0;
  return () => {
    const current = Math.floor(performance.now() / 1000);
    if (current !== second) {
      second = current;
      count = 0;
    }
    return count++ < max;
  };
}

function keyIdOf({ params }: FastifyRequest): string | undefined {
  if (typeof params !== 'object' || params === null || !('id' in params)) return undefined;
  return /^key_[0-9A-Za-z]{22}$/.test(String(params.id)) ? String(params.id) : undefined;
}
