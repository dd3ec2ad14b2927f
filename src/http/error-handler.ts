import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { isUnavailable } from '../db/errors.ts';
import { OverloadError } from '../lib/overload.ts';
import { UnavailableError } from '../lib/unavailable.ts';
import type { App } from './app-type.ts';
import { Problem, problemBody } from './problem.ts';
import { validationProblem } from './validation.ts';

const RETRY_AFTER_SECONDS = '1';

/** Every error becomes problem+json. What a parser or the database said stays inside. */
export function handleErrors(app: App): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500) logFailure(request, error, problem);
    return sendProblem(reply, request, problem);
  });
  app.setNotFoundHandler((request, reply) => refuseUnknown(app, request, reply));
}

export function sendProblem(reply: FastifyReply, request: FastifyRequest, problem: Problem) {
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="keyward"');
  if (problem.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  return reply
    .status(problem.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify(problemBody(problem, request.id)));
}

function toProblem(error: FastifyError): Problem {
  if (error instanceof Problem) return error;
  if (error.validation) return validationProblem(error.validation, error.validationContext);
  if (error instanceof OverloadError) return new Problem('OVERLOADED');
  if (error instanceof UnavailableError || isUnavailable(error)) return new Problem('UNAVAILABLE');
  return frameworkProblem(error);
}

/** Fastify's own errors. Their messages can quote the body, so none is passed on. */
function frameworkProblem(error: FastifyError): Problem {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem('BODY_TOO_LARGE');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Problem('UNSUPPORTED_MEDIA_TYPE', 'Send `Content-Type: application/json`.');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new Problem('MALFORMED_JSON', 'The body is empty; send a JSON object.');
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Problem('MALFORMED_JSON');
    default:
      return error.statusCode === 400 ? new Problem('MALFORMED_JSON') : new Problem('INTERNAL');
  }
}

/** 405 with the methods that the path does take, else 404. */
function refuseUnknown(app: App, request: FastifyRequest, reply: FastifyReply) {
  const path = request.url.split('?', 1)[0] ?? '';
  const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter(
    (method) => app.findRoute({ method, url: path }) !== null,
  );
  if (others.length === 0) return sendProblem(reply, request, new Problem('ROUTE_NOT_FOUND'));
  reply.header('allow', others.join(', '));
  return sendProblem(reply, request, new Problem('METHOD_NOT_ALLOWED'));
}

function logFailure(request: FastifyRequest, error: Error, problem: Problem): void {
  if (problem.status === 503) request.log.warn({ code: problem.code, err: error }, 'no answer');
  else request.log.error({ code: problem.code, err: error }, 'request failed');
}
