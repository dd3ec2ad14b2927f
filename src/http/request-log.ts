import type { IncomingHttpHeaders } from 'node:http';
import { type FastifyBaseLogger, type FastifyRequest, LogController } from 'fastify';
import type { Log } from '../lib/log-events.ts';
import type { App } from './app-type.ts';
import type { HandedOnRequests } from './handed-on-requests.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { traceIdOf } from './trace-parent.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Why it was answered with a 5xx. */
    failure: { code: string; err: Error } | null;
  }
}

/** An answered request, as its line and its metrics tell of it. */
export interface AnsweredRequest {
  id: string;
  headers: IncomingHttpHeaders;
  method: string;
  /** The pattern, never the URL. */
  route: string;
  status: number;
  /** From its headers to the end of its answer. */
  milliseconds: number;
  /** Whether only a bounded number of its kind is logged, if it succeeds. */
  isSampled: boolean;
  keyId?: string | undefined;
  actor?: string | undefined;
  failure?: FastifyRequest['failure'];
}

/** Fastify's options for a log in which RequestLog alone writes the lines of requests. */
export function fastifyLogging(log: FastifyBaseLogger) {
  const options = { disableRequestLogging: true, requestIdLogLabel: 'requestId' };
  return { loggerInstance: log, logController: new LogController(options) };
}

/**
 * Counts each request, and writes one line for it. A line costs a fifth of a verification, so only a
 * bounded number of successful ones is logged each second.
 */
export class RequestLog {
  readonly #log: Log;
  readonly #metrics: RequestMetrics;
  readonly #isWithinLimit: () => boolean;

  constructor(log: Log, metrics: RequestMetrics, verifyPerSecond: number) {
    this.#log = log;
    this.#metrics = metrics;
    this.#isWithinLimit = perSecond(verifyPerSecond);
  }

  record(answered: AnsweredRequest): void {
    const { route, method, status, milliseconds, isSampled } = answered;
    this.#metrics.count(route, method, status, milliseconds);
    if (!isSampled || status >= 400 || this.#isWithinLimit()) this.#write(answered);
  }

  /** Failures are warnings and errors, which the logger bounds where they repeat. */
  #write(answered: AnsweredRequest): void {
    const { method, route, status, milliseconds, keyId, actor, failure } = answered;
    const durationMs = Math.round(milliseconds * 1000) / 1000;
    const line = { ...requestFields(answered), method, route, status, durationMs, keyId, actor };
    const log = this.#log;
    if (status < 500) log.info({ event: 'request', ...line }, 'request');
    else if (!failure) log.warn({ event: 'request', ...line }, 'request');
    else if (status === 503)
      log.warn({ event: 'request.unavailable', ...line, ...failure }, 'no answer');
    else log.error({ event: 'request.failed', ...line, ...failure }, 'request failed');
  }
}

/** Records every request that the framework answers. */
export function registerRequestLog(app: App, log: RequestLog, handedOn: HandedOnRequests): void {
  // Log lines contain the request id, so no request needs a logger of its own.
  app.setChildLoggerFactory((logger) => logger);
  app.decorateRequest('failure', null);
  app.addHook('onResponse', (request, reply, done) => {
    const { id, headers, method, failure, raw } = request;
    const { config, url: route = 'none' } = request.routeOptions;
    const beganAt = handedOn.get(raw)?.beganAt;
    log.record({
      ...{ id, headers, method, route, failure },
      status: reply.statusCode,
      milliseconds: beganAt === undefined ? reply.elapsedTime : performance.now() - beganAt,
      isSampled: config.logSampled === true,
      keyId: keyIdOf(request),
      actor: request.call?.actor.id,
    });
    done();
  });
}

/** What each line about a request begins with: by what it is found, here and in traces. */
export function requestFields({ id: requestId, headers }: Pick<AnsweredRequest, 'id' | 'headers'>) {
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
