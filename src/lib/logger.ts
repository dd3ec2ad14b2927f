import { once } from 'node:events';
import { type DestinationStream, type LogFn, type Logger, type LoggerOptions, pino } from 'pino';
import pretty from 'pino-pretty';
import type { LogEvent } from './log-events.ts';
import { RepeatedLines } from './repeated-lines.ts';

/** What a library writes by itself, Fastify above all, has no event of its own. */
const OF_LIBRARY: { event: LogEvent } = { event: 'library' };

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
  const options: LoggerOptions = {
    level,
    base: { service: 'keyward' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: REDACTED, censor: '[redacted]' },
    serializers: { err: describeError },
    mixin: () => OF_LIBRARY,
    mixinMergeStrategy: (fields, ofLibrary) =>
      'event' in fields ? fields : { ...ofLibrary, ...fields },
    hooks: { logMethod: onceASecond() },
  };
  return destination ? pino(options, destination) : pino(options);
}

/**
 * Writes a line between those of the log, never into one. Resolves once it has left the process; rejects
 * when it has not in time.
 */
export type WriteLine = (line: string, late: AbortSignal) => Promise<void>;

export interface StandardOutput {
  log: DestinationStream;
  writeLine: WriteLine;
}

/** Readable lines on a terminal, JSON elsewhere. */
export function standardOutput(): StandardOutput {
  if (!process.stdout.isTTY) {
    // Asynchronous: lines that arrive while one is being written are written together.
    const log = pino.destination({ dest: 1, sync: false });
    return { log, writeLine: (line, late) => writeThrough(log, line, late) };
  }
  const style = { translateTime: 'SYS:HH:MM:ss', ignore: 'service', singleLine: true };
  const log = pretty({ destination: 1, sync: true, ...style });
  return { log, writeLine: async (line) => void process.stdout.write(line) };
}

/** Its buffer is empty at the next drain, for it writes at once. */
async function writeThrough(
  log: ReturnType<typeof pino.destination>,
  line: string,
  late: AbortSignal,
): Promise<void> {
  const drained = once(log, 'drain', { signal: late });
  log.write(line);
  await drained;
}

const WARN = 40;
const ERROR = 50;

/** Warnings and errors that repeat are written at most once a second, the first one with its stack. */
function onceASecond() {
  const lines = new RepeatedLines();
  return function logMethod(this: Logger, args: Parameters<LogFn>, method: LogFn, level: number) {
    const [fields, message] = args;
    if (level < WARN || !isRecord(fields)) return method.apply(this, args);
    lines.add(keyOf(fields, message, level), (repeated) => {
      if (repeated === null) method.apply(this, args);
      else method.apply(this, [{ ...fields, err: withoutStack(fields.err), repeated }, message]);
    });
  };
}

/** A warning is a condition that has a name. An error may be any bug, so its origin tells it apart. */
function keyOf(fields: Record<string, unknown>, message: unknown, level: number): string {
  const { code, phase, err } = fields;
  const [frame] = level >= ERROR && err instanceof Error ? (framesOf(err) ?? []) : [];
  return `${message} ${code} ${phase} ${frame}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** What the serializer shows without a stack. */
class RepeatedError {
  readonly error: Error;

  constructor(error: Error) {
    this.error = error;
  }
}

function withoutStack(error: unknown): unknown {
  return error instanceof Error ? new RepeatedError(error) : error;
}

/** Without messages: those of the database and of parsers can quote values. */
function describeError(error: unknown): object {
  if (error instanceof RepeatedError) return summaryOf(error.error);
  if (!(error instanceof Error)) return { type: typeof error };
  const { cause } = error;
  return {
    ...summaryOf(error),
    cause: cause === undefined ? undefined : describeError(cause),
    stack: framesOf(error),
  };
}

function summaryOf(error: Error): object {
  return {
    type: error.name,
    code: 'code' in error ? error.code : undefined,
    cause: error.cause instanceof Error ? summaryOf(error.cause) : undefined,
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
