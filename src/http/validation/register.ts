import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { invalidField } from '../../errors.ts';
import type { SharedBound } from '../../lib/shared-bound.ts';
import type { App } from '../app-type.ts';
import { GATEWAY_ROUTE } from '../single-headers.ts';
import { validationProblem } from './field-errors.ts';
import { registerJsonBodies } from './json-body.ts';
import { bodyValidator, textValidator, valueValidator } from './validators.ts';

/** Bodies are taken as they are; path, query and headers are text, which is read as numbers. */
export function registerValidation(app: App, bodies: SharedBound): void {
  registerJsonBodies(app, bodies);
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === 'body' ? bodyValidator(schema) : textValidator(schema),
  );
  refuseWhatIsNotDescribed(app);
}

/** A query or a body of a call that describes none is not understood, so it is refused. */
function refuseWhatIsNotDescribed(app: App): void {
  const nothing = Type.Object({}, { additionalProperties: false });
  app.addHook('onRoute', (route) => {
    if (!route.url.startsWith('/v1/') || !route.schema || route.schema.hide) return;
    route.schema.querystring ??= nothing;
  });
  const failuresOf = valueValidator(nothing);
  const refuse = (request: FastifyRequest) => {
    const { body, routeOptions } = request;
    if (!routeOptions.url?.startsWith('/v1/') || routeOptions.url === GATEWAY_ROUTE) return;
    if (!isDecodable(request.url)) throw invalidField('/query', 'is not percent-encoded UTF-8');
    if (routeOptions.schema?.body) return;
    if (hasUnreadBody(request)) throw invalidField('/body', 'is not taken by this call');
    const failures = failuresOf(body ?? {});
    if (failures.length > 0) throw validationProblem(failures, 'body');
  };
  app.addHook('preValidation', (request, _reply, done) => {
    refuse(request);
    done();
  });
}

/** The parser of queries would take what it cannot decode as it is. */
function isDecodable(url: string): boolean {
  const start = url.indexOf('?');
  if (start === -1 || !url.includes('%', start)) return true;
  try {
    decodeURIComponent(url.slice(start));
    return true;
  } catch {
    return false;
  }
}

/** Bodies of GET are not parsed. */
function hasUnreadBody({ method, headers }: FastifyRequest): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
