import type { IncomingHttpHeaders } from 'node:http';
import { type FastifyBaseLogger, type FastifyRequest, LogController } from 'fastify';
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

/** By what each line about a request is found. */
interface LoggedRequest {
  id: string;
  headers: IncomingHttpHeaders;
}

interface Answered {
  route: string;
  status: number;
  milliseconds: number;
}

/** Fastify's options for a log in which RequestLog alone writes the lines of requests. */
export function fastifyLogging(log: FastifyBaseLogger) {
  const options = { disableRequestLogging: true, requestIdLogLabel: 'requestId' };
  return { loggerInstance: log, logController: new LogController(options) };
}

/**
 * Counts each request, and writes one line for it, with the pattern of its route and never its URL. A
 * line costs a fifth of a verification, so only a bounded number of successful ones is logged each second.
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

  /** Every request that the framework answers. */
  register(app: App): void {
    // Log lines contain the request id, so no request needs a logger of its own.
    app.setChildLoggerFactory((logger) => logger);
    app.decorateRequest('failure', null);
    app.addHook('onResponse', (request, reply, done) => {
      const { config, url: route = 'none' } = request.routeOptions;
      const { statusCode: status, elapsedTime: milliseconds } = reply;
      this.#metrics.count(route, request.method, status, milliseconds);
      if (!config.logSampled || status >= 400 || this.#isWithinLimit())
        this.#write(request, { route, status, milliseconds });
      done();
    });
  }

  /** A verification that was answered in front of the framework. */
  verified(request: LoggedRequest, route: string, milliseconds: number): void {
    const status = 200;
    this.#metrics.count(route, 'POST', status, milliseconds);
    if (!this.#isWithinLimit()) return;
    const line = { ...requestFields(request), method: 'POST', route, status };
    this.#log.info({ event: 'request', ...line, durationMs: rounded(milliseconds) }, 'request');
  }

  /** Failures are warnings and errors, which the logger bounds where they repeat. */
  #write(request: FastifyRequest, { route, status, milliseconds }: Answered): void {
    const { failure } = request;
    const line = {
      ...requestFields(request),
      method: request.method,
      route,
      status,
      durationMs: rounded(milliseconds),
      keyId: keyIdOf(request),
      actor: request.call?.actor.id,
    };
    const log = this.#log;
    if (status < 500) log.info({ event: 'request', ...line }, 'request');
    else if (!failure) log.warn({ event: 'request', ...line }, 'request');
    else if (status === 503)
      log.warn({ event: 'request.unavailable', ...line, ...failure }, 'no answer');
    else log.error({ event: 'request.failed', ...line, ...failure }, 'request failed');
  }
}

/** To the microsecond. */
function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}

/** What each line about a request begins with: by what it is found, here and in traces. */
export function requestFields({ id: requestId, headers }: LoggedRequest) {
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
