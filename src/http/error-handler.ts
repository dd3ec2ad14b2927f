import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { isRetryable, isTimeout, isUnavailable, sqlState } from '../db/errors.ts';
import { KEY_SCAN_PATTERN } from '../domain/key-string.ts';
import { bodyTooLarge, invalidField, KeywardError } from '../errors.ts';
import { OverloadError } from '../lib/overload-error.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import { setAnswerHeaders } from './answer-headers.ts';
import type { App } from './app-type.ts';
import { badCursor } from './cursor.ts';
import { problemBody, statusOf } from './problem.ts';
import type { ShedRequests } from './shed-requests.ts';
import { validationProblem } from './validation/field-errors.ts';

const RETRY_AFTER_SECONDS = '1';

/** Every error becomes problem+json. Messages of parsers and of the database are not passed on. */
export function registerErrorHandler(app: App, shed: ShedRequests): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = toProblem(error, request);
    if (error instanceof OverloadError) shed.count(error.reason);
    else if (problem.code === 'TOO_MANY_REQUESTS') shed.count('rate');
    if (statusOf(problem) >= 500) request.failure = { code: problem.code, err: error };
    return sendProblem(reply, request, problem);
  });
  app.setNotFoundHandler((request, reply) => refuseUnknown(app, request, reply));
}

/** Before the body is read: what is wrong with it does not matter. */
export function registerUnknownRoutes(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) refuseUnknown(app, request, reply);
    else done();
  });
}

function sendProblem(reply: FastifyReply, request: FastifyRequest, problem: KeywardError) {
  const status = statusOf(problem);
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="keyward"');
  // What is refused before its body has arrived does not wait for it.
  if (awaitsBody(request)) reply.header('connection', 'close');
  if (status === 503 || problem.code === 'TOO_MANY_REQUESTS')
    reply.header('retry-after', RETRY_AFTER_SECONDS);
  return reply
    .status(status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(withoutKeys(JSON.stringify(problemBody(problem, request.id))));
}

function awaitsBody({ raw }: FastifyRequest): boolean {
  if (raw.complete) return false;
  const { 'transfer-encoding': chunked, 'content-length': length } = raw.headers;
  return chunked !== undefined || Number(length ?? 0) > 0;
}

const KEYS = new RegExp(KEY_SCAN_PATTERN, 'g');

/** Errors quote field names, and a key may have been sent in the place of one. */
function withoutKeys(text: string): string {
  return text.replace(KEYS, '[redacted]');
}

export function toProblem(error: FastifyError, request: FastifyRequest): KeywardError {
  if (error instanceof KeywardError) return error;
  if (error.validation) return validationProblem(error.validation, error.validationContext);
  if (error instanceof OverloadError) return new KeywardError('OVERLOADED');
  if (isTimeout(error)) return new KeywardError('TIMED_OUT');
  if (error instanceof UnavailableError || isTransient(error))
    return new KeywardError('UNAVAILABLE');
  if (hasForgedCursor(error, request)) return badCursor();
  return frameworkProblem(error, request);
}

/** Whether the same request may succeed in a moment. */
function isTransient(error: unknown): boolean {
  return isUnavailable(error) || isRetryable(error);
}

/** Cursors are checked for their form; whether their values can be read, only Postgres can tell. */
const UNREADABLE_VALUES = new Set(['22003', '22007', '22008', '22009', '22023', '22P02']);

function hasForgedCursor(error: FastifyError, { query }: FastifyRequest): boolean {
  if (typeof query !== 'object' || query === null || !('cursor' in query)) return false;
  return UNREADABLE_VALUES.has(sqlState(error) ?? '');
}

/** Fastify's own errors. Their messages can quote the body, so they are not passed on. */
function frameworkProblem(error: FastifyError, request: FastifyRequest): KeywardError {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return bodyTooLarge(request.routeOptions.bodyLimit);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new KeywardError('UNSUPPORTED_MEDIA_TYPE', 'Send `Content-Type: application/json`.');
    default:
      return error.statusCode === 400
        ? new KeywardError('MALFORMED_JSON')
        : new KeywardError('INTERNAL');
  }
}

/** For URLs that the router cannot read; no hook runs. The error's message quotes the URL. */
export function rejectUrl(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  const isUnreadable =
    error.code === 'FST_ERR_BAD_URL' || error.code === 'FST_ERR_MAX_PARAM_LENGTH';
  setAnswerHeaders(request, reply);
  const problem = isUnreadable
    ? invalidField('/path', 'must be a valid URL path with identifiers of at most 128 characters')
    : frameworkProblem(error, request);
  return sendProblem(reply, request, problem);
}

/** 405 with the methods that the path supports, else 404. */
function refuseUnknown(app: App, request: FastifyRequest, reply: FastifyReply) {
  const path = request.url.split('?', 1)[0] ?? '';
  const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter(
    (method) => app.findRoute({ method, url: path }) !== null,
  );
  if (others.length === 0) return sendProblem(reply, request, new KeywardError('ROUTE_NOT_FOUND'));
  reply.header('allow', others.join(', '));
  return sendProblem(reply, request, new KeywardError('METHOD_NOT_ALLOWED'));
}
