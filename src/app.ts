import { randomBytes } from 'node:crypto';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';

import { auditRoutes } from './audit/audit.routes.ts';
import type { AuditService } from './audit/audit.service.ts';
import type { Changes } from './changes/changes.ts';
import { limitInFlight } from './http/admission.ts';
import type { App } from './http/app-type.ts';
import { type Authenticate, CallContexts } from './http/authentication.ts';
import { guardCalls } from './http/call.ts';
import { handleErrors, refuseUrl } from './http/error-handler.ts';
import { healthRoutes, type ReadinessChecks } from './http/health.ts';
import type { KeyDetector } from './http/key-detector.ts';
import { metricsRoutes } from './http/metrics.ts';
import { describeApi } from './http/openapi.ts';
import { logRequests } from './http/request-log.ts';
import { ActorSchema, ProblemSchema, REQUEST_ID_PATTERN } from './http/schemas.ts';
import { checkRequests } from './http/validation.ts';
import { keyActionRoutes } from './keys/keys.actions.routes.ts';
import { keyRoutes } from './keys/keys.routes.ts';
import type { KeyService } from './keys/keys.service.ts';
import type { Bound } from './lib/bound.ts';
import { managementRoutes } from './management/management.routes.ts';
import type { ManagementService } from './management/management.service.ts';
import { usageRoutes } from './usage/usage.routes.ts';
import type { UsageService } from './usage/usage.service.ts';
import { type AuthorizeDependencies, authorizeRoutes } from './verification/authorize.routes.ts';
import type { Holder } from './verification/holder.ts';
import type { Verifier } from './verification/verifier.ts';
import { verifyRoutes } from './verification/verify.routes.ts';
import { whoamiRoutes } from './verification/whoami.routes.ts';
import { workspaceRoutes } from './workspaces/workspaces.routes.ts';
import type { WorkspaceService } from './workspaces/workspaces.service.ts';

export interface AppDependencies {
  log: FastifyBaseLogger;
  maxInFlight: number;
  logVerifyPerSecond: number;
  authenticate: Authenticate;
  keyDetector: KeyDetector;
  verifier: Verifier;
  gateway: Pick<AuthorizeDependencies, 'keyHeader' | 'now'>;
  holder: Holder;
  keys: KeyService;
  changes: Changes;
  workspaces: WorkspaceService;
  managementKeys: ManagementService;
  usage: UsageService;
  audit: AuditService;
  readiness: ReadinessChecks;
  /** What may not grow without limit. */
  bounds: readonly Bound[];
}

const BODY_LIMIT_BYTES = 65_536;
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_HEADER_BYTES = 16_384;
const REQUEST_ID = new RegExp(REQUEST_ID_PATTERN);

/** The HTTP face of the service: hooks and routes. Listens to nothing, reads nothing. */
export async function buildApp(its: AppDependencies): Promise<App> {
  const app = Fastify({
    loggerInstance: its.log,
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'requestId',
    }),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    genReqId: requestIds(its.keyDetector),
    clientErrorHandler: refuseBrokenRequest,
    frameworkErrors: refuseUrl,
    return503OnClosing: true,
    routerOptions: { maxParamLength: 128 },
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.addSchema(ProblemSchema);
  app.addSchema(ActorSchema);
  checkRequests(app);
  handleErrors(app);
  const requests = limitInFlight(app, its.maxInFlight);
  logRequests(app, its.logVerifyPerSecond);
  guardCalls(app, new CallContexts(its.authenticate, its.keyDetector), its.keyDetector);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  await describeApi(app);
  healthRoutes(app, its.readiness);
  metricsRoutes(app, [requests, ...its.bounds]);
  verifyRoutes(app, its.verifier, its.authenticate);
  authorizeRoutes(app, { ...its.gateway, ...its });
  whoamiRoutes(app, its.holder);
  keyRoutes(app, its.keys);
  keyActionRoutes(app, its.keys, its.changes);
  workspaceRoutes(app, its.workspaces);
  managementRoutes(app, its.managementKeys);
  usageRoutes(app, its.usage);
  auditRoutes(app, its.audit);
  return app;
}

/** The caller's own id where it is fit to be logged, else one of ours. */
function requestIds(detector: KeyDetector) {
  const process = randomBytes(4).toString('hex');
  let count = 0;
  const isFitForLog = (wished: string) => REQUEST_ID.test(wished) && !detector.isIn(wished);
  return (request: { headers: Record<string, string | string[] | undefined> }) => {
    const wished = request.headers['x-request-id'];
    if (typeof wished === 'string' && isFitForLog(wished)) return wished;
    return `req_${process}-${(count++).toString(36)}`;
  };
}

/** What is not HTTP gets a bare 400, and is not logged: it can hold anything. */
function refuseBrokenRequest(error: Error & { code?: string }, socket: NodeJS.WritableStream) {
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : '400 Bad Request';
  if (socket.writable)
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
