import { randomBytes } from 'node:crypto';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { auditRoutes } from './audit/routes.ts';
import type { AuditService } from './audit/service.ts';
import type { Authenticate, Identify } from './call-context.ts';
import { registerAdmission } from './http/admission.ts';
import type { App } from './http/app-type.ts';
import { registerAuth } from './http/auth-hooks.ts';
import { registerErrorHandler, rejectUrl } from './http/error-handler.ts';
import { healthRoutes, type ReadinessChecks } from './http/health.ts';
import type { KeyDetector } from './http/key-detector.ts';
import { metricsRoutes, type OperationCounter } from './http/metrics.ts';
import { registerOpenApi } from './http/openapi.ts';
import { registerRequestLog } from './http/request-log.ts';
import { ActorSchema, ProblemSchema, REQUEST_ID_PATTERN } from './http/schemas.ts';
import { registerValidation } from './http/validation.ts';
import { type KeyServices, keyRoutes } from './keys/routes.ts';
import type { ResourceLimit } from './lib/resource-limit.ts';
import { managementRoutes } from './management/routes.ts';
import type { ManagementService } from './management/service.ts';
import { usageRoutes } from './usage/routes.ts';
import type { UsageService } from './usage/service.ts';
import {
  type AuthorizeDependencies,
  authorizeRoutes,
  withoutGatewayPath,
} from './verification/authorize/routes.ts';
import { verifyRoutes } from './verification/routes.ts';
import type { Verifier } from './verification/verifier.ts';
import { whoamiRoutes } from './whoami/routes.ts';
import type { WhoamiService } from './whoami/service.ts';
import { workspaceRoutes } from './workspaces/routes.ts';
import type { WorkspaceService } from './workspaces/service.ts';

export interface AppDependencies {
  log: FastifyBaseLogger;
  maxInFlight: number;
  logVerifyPerSecond: number;
  authenticate: Authenticate;
  identify: Identify;
  keyDetector: KeyDetector;
  verifier: Verifier;
  gateway: Pick<AuthorizeDependencies, 'keyHeader' | 'now'>;
  whoami: WhoamiService;
  keys: KeyServices;
  workspaces: WorkspaceService;
  managementKeys: ManagementService;
  usage: UsageService;
  audit: AuditService;
  readiness: ReadinessChecks;
  /** What may not grow without limit. */
  resourceLimits: readonly ResourceLimit[];
  operationCounters: readonly OperationCounter[];
}

const BODY_LIMIT_BYTES = 65_536;
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_HEADER_BYTES = 16_384;
const REQUEST_ID = new RegExp(REQUEST_ID_PATTERN);

/** The HTTP face of the service: hooks and routes. Listens to nothing, reads nothing. */
export async function buildApp(deps: AppDependencies): Promise<App> {
  const app = Fastify({
    loggerInstance: deps.log,
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'requestId',
    }),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    genReqId: requestIds(deps.keyDetector),
    clientErrorHandler: refuseBrokenRequest,
    frameworkErrors: rejectUrl,
    rewriteUrl: ({ url = '/' }) => withoutGatewayPath(url),
    return503OnClosing: true,
    routerOptions: { maxParamLength: 128 },
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.addSchema(ProblemSchema);
  app.addSchema(ActorSchema);
  registerValidation(app);
  registerErrorHandler(app);
  const requests = registerAdmission(app, deps.maxInFlight);
  registerRequestLog(app, deps.logVerifyPerSecond);
  registerAuth(app, deps);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  await registerOpenApi(app);
  healthRoutes(app, deps.readiness);
  metricsRoutes(app, [requests, ...deps.resourceLimits], deps.operationCounters);
  verifyRoutes(app, deps);
  authorizeRoutes(app, { ...deps.gateway, ...deps });
  whoamiRoutes(app, deps.whoami);
  keyRoutes(app, deps.keys);
  workspaceRoutes(app, deps.workspaces);
  managementRoutes(app, deps.managementKeys);
  usageRoutes(app, deps.usage);
  auditRoutes(app, deps.audit);
  return app;
}

/** The caller's own id where it is fit to be logged, else one of ours. */
function requestIds(detector: KeyDetector) {
  const process = randomBytes(4).toString('hex');
  let count = 0;
  const isFitForLog = (wished: string) =>
    REQUEST_ID.test(wished) && !detector.isContainedIn(wished);
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
