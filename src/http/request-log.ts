import type { FastifyRequest } from 'fastify';
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
 * The log: JSON lines. Redaction is the second net; the first is that nothing which can hold a key
 * (URL, query, headers, body, parser messages) is logged at all.
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

/**
 * One line for each request, with its route's pattern and never its URL. A line costs a fifth of a
 * verification, so of successful ones only so many a second get theirs.
 */
export function registerRequestLog(app: App, verifyPerSecond: number): void {
  const isWithinBound = perSecond(verifyPerSecond);
  const isLeftOut = ({ routeOptions }: FastifyRequest, status: number) =>
    routeOptions.config.logSampled === true && status < 400 && !isWithinBound();

  // Log lines name the request themselves, which spares a logger for each request.
  app.setChildLoggerFactory((logger) => logger);
  app.addHook('onResponse', (request, reply, done) => {
    if (isLeftOut(request, reply.statusCode)) return done();
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

/** True for the first so many calls of each second. */
function perSecond(most: number): () => boolean {
  let second = 0;
  let count = 0;
  return () => {
    const current = Math.floor(performance.now() / 1000);
    if (current !== second) {
      second = current;
      count = 0;
    }
    return count++ < most;
  };
}

function keyIdOf({ params }: FastifyRequest): string | undefined {
  if (typeof params !== 'object' || params === null || !('id' in params)) return undefined;
  return /^key_[0-9A-Za-z]{22}$/.test(String(params.id)) ? String(params.id) : undefined;
}

/** Messages of the database and of parsers can quote values, so only what cannot is kept. */
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
