import { type FastifyBaseLogger, type FastifyRequest, LogController } from 'fastify';
import { type DestinationStream, type Logger, pino } from 'pino';
import type { App } from './app-type.ts';

const REDACTED = [
  'key',
  'authorization',
  '*.key',
  '*.authorization',
  'req.headers',
  'headers',
  'body',
];

/**
 * Logs JSON lines. Nothing that can contain a key is logged in the first place (URL, query, headers,
 * body, messages of parsers); redaction only backs this up.
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { service: 'keyward' },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: REDACTED, censor: '[redacted]' },
    serializers: { err: describeError },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** Fastify's options for a log in which registerRequestLog alone writes the lines of requests. */
export function fastifyLogging(log: FastifyBaseLogger) {
  const options = { disableRequestLogging: true, requestIdLogLabel: 'requestId' };
  return { loggerInstance: log, logController: new LogController(options) };
}

/**
 * One line for each request, with the pattern of its route and never its URL. A line costs a fifth
 * of a verification, so only a bounded number of successful ones is logged each second.
 */
export function registerRequestLog(app: App, verifyPerSecond: number): void {
  const isWithinLimit = perSecond(verifyPerSecond);
  const isSkipped = ({ routeOptions }: FastifyRequest, status: number) =>
    routeOptions.config.logSampled === true && status < 400 && !isWithinLimit();

  // Log lines contain the request id, so no request needs a logger of its own.
  app.setChildLoggerFactory((logger) => logger);
  app.addHook('onResponse', (request, reply, done) => {
    if (isSkipped(request, reply.statusCode)) return done();
    request.log.info(
      {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url ?? 'none',
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime * 1000) / 1000,
        keyId: keyIdOf(request),
        actor: request.call?.actor.id,
      },
      'request',
    );
    done();
  });
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

/** Without messages: those of the database and of parsers can quote values. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  return {
    type: error.name,
    code: 'code' in error ? error.code : undefined,
    cause: error.cause === undefined ? undefined : describeError(error.cause),
    stack: framesOf(error),
  };
}

/** A stack begins with the message, whose own lines can look like frames. */
function framesOf({ stack, message }: Error): string[] | undefined {
  const messageLines = message.split('\n').length;
  return stack
    ?.split('\n')
    .slice(messageLines)
    .filter((line) => line.startsWith('    at '));
}
