import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyBaseLogger } from 'fastify';
import { auditRoutes } from './audit/routes.ts';
import type { AuditService } from './audit/service.ts';
import type { Authenticate, Identify } from './call-context.ts';
import { registerAdmission } from './http/admission.ts';
import type { App } from './http/app-type.ts';
import { registerAuth } from './http/auth-hooks.ts';
import { refuseExpectations, refuseMalformedRequest } from './http/client-error.ts';
import { registerErrorHandler, registerUnknownRoutes, rejectUrl } from './http/error-handler.ts';
import { frontPageRoute } from './http/front-page.ts';
import { healthRoutes, type ReadinessChecks } from './http/health.ts';
import type { KeyDetector } from './http/key-detector.ts';
import {
  type ManagementQueue,
  type PlacesBudget,
  registerPlaces,
} from './http/management-places.ts';
import { metricsRoutes, type OperationCounter } from './http/metrics.ts';
import { registerOpenApi } from './http/openapi/register.ts';
import { registerRequestId, requestIdGenerator } from './http/request-id.ts';
import { fastifyLogging, registerRequestLog } from './http/request-log.ts';
import { ActorSchema, ProblemSchema } from './http/schemas.ts';
import { buildSerializers } from './http/serialization.ts';
import { registerSingleHeaders } from './http/single-headers.ts';
import type { UnsentAnswers } from './http/unsent-answers.ts';
import { registerValidation } from './http/validation/register.ts';
import { type KeyServices, keyRoutes } from './keys/routes.ts';
import { WAITING_BYTES } from './lib/memory-budget.ts';
import type { ResourceLimit } from './lib/resource-limit.ts';
import type { SharedBound } from './lib/shared-bound.ts';
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
  management: ManagementQueue;
  unsent: UnsentAnswers;
  memory: PlacesBudget;
  logVerifyPerSecond: number;
  authenticate: Authenticate;
  identify: Identify;
  keyDetector: KeyDetector;
  verifier: Verifier;
  batchItems: SharedBound;
  gateway: Pick<AuthorizeDependencies, 'keyHeader' | 'now'>;
  whoami: WhoamiService;
  keys: KeyServices;
  workspaces: WorkspaceService;
  managementKeys: ManagementService;
  usage: UsageService;
  audit: AuditService;
  readiness: ReadinessChecks;
  resourceLimits: readonly ResourceLimit[];
  operationCounters: readonly OperationCounter[];
}

const BODY_LIMIT_BYTES = 65_536;
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_HEADER_BYTES = 16_384;
const MAX_PATH_PARAMETER_LENGTH = 128;

/** The HTTP application: hooks and routes. Does no I/O itself. */
export async function buildApp(deps: AppDependencies): Promise<App> {
  const app = createApp(deps);
  app.addSchema(ProblemSchema);
  app.addSchema(ActorSchema);
  registerValidation(app);
  registerErrorHandler(app);
  refuseExpectations(app.server);
  registerRequestId(app);
  const requests = registerAdmission(app, deps.maxInFlight);
  registerRequestLog(app, deps.logVerifyPerSecond);
  registerUnknownRoutes(app);
  registerSingleHeaders(app);
  registerAuth(app, deps);
  const places = registerPlaces(app, deps.management, deps.unsent, deps.memory);
  await registerOpenApi(app);
  frontPageRoute(app);
  healthRoutes(app, deps.readiness);
  const items = deps.batchItems.resourceLimit('batch_items', WAITING_BYTES);
  const limits = [requests, ...places, items, ...deps.resourceLimits];
  metricsRoutes(app, limits, deps.operationCounters);
  registerFeatures(app, deps);
  return app;
}

function createApp({ log, keyDetector }: AppDependencies): App {
  return Fastify({
    ...fastifyLogging(log),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    genReqId: requestIdGenerator(keyDetector),
    clientErrorHandler: refuseMalformedRequest,
    frameworkErrors: rejectUrl,
    rewriteUrl: ({ url = '/' }) => withoutGatewayPath(url),
    return503OnClosing: true,
    schemaController: { compilersFactory: { buildSerializer: buildSerializers } },
    routerOptions: { maxParamLength: MAX_PATH_PARAMETER_LENGTH },
  }).withTypeProvider<TypeBoxTypeProvider>();
}

function registerFeatures(app: App, deps: AppDependencies): void {
  verifyRoutes(app, deps);
  authorizeRoutes(app, { ...deps.gateway, ...deps });
  whoamiRoutes(app, deps.whoami);
  keyRoutes(app, deps.keys);
  workspaceRoutes(app, deps.workspaces);
  managementRoutes(app, deps.managementKeys);
  usageRoutes(app, deps.usage);
  auditRoutes(app, deps.audit);
}
