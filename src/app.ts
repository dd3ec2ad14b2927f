import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyBaseLogger } from 'fastify';
import { alertRoutes } from './alerts/routes.ts';
import type { AlertService } from './alerts/service.ts';
import { auditRoutes } from './audit/routes.ts';
import type { AuditService } from './audit/service.ts';
import type { Authenticate, Present } from './call-context.ts';
import { type ConsoleDependencies, consoleRoutes } from './console/routes.ts';
import { eventWebhooks } from './events/document.ts';
import { Admission, registerAdmission } from './http/admission.ts';
import { registerAnswerHeaders } from './http/answer-headers.ts';
import type { App } from './http/app-type.ts';
import { registerAuth } from './http/auth-hooks.ts';
import { registerBodyLimits } from './http/body-limits.ts';
import { registerPresentedCallers } from './http/caller-at-headers.ts';
import { Connections, serverOptions } from './http/connections.ts';
import { registerErrorHandler, registerUnknownRoutes, rejectUrl } from './http/error-handler.ts';
import { frontPageRoute } from './http/front-page.ts';
import { registerGracefulClose } from './http/graceful-close.ts';
import { HandedOnRequests } from './http/handed-on-requests.ts';
import { healthRoutes, type ReadinessChecks } from './http/health.ts';
import type { KeyDetector } from './http/key-detector.ts';
import {
  type ManagementQueue,
  type PlacesBudget,
  registerPlaces,
} from './http/management-places.ts';
import { metricsRoutes } from './http/metrics.ts';
import { registerOpenApi } from './http/openapi/register.ts';
import { processMetrics } from './http/process-metrics.ts';
import { type RequestIdGenerator, requestIdGenerator } from './http/request-id.ts';
import { fastifyLogging, RequestLog, registerRequestLog } from './http/request-log.ts';
import { RequestMetrics } from './http/request-metrics.ts';
import { RequestRates } from './http/request-rates.ts';
import { ActorSchema, ProblemSchema } from './http/schemas.ts';
import { buildSerializers } from './http/serialization.ts';
import { ShedRequests } from './http/shed-requests.ts';
import { registerSingleHeaders } from './http/single-headers.ts';
import type { UnsentAnswers } from './http/unsent-answers.ts';
import { registerValidation } from './http/validation/register.ts';
import { type KeyServices, keyRoutes } from './keys/routes.ts';
import type { Leaks } from './leaks/leaks.ts';
import { leakRoutes } from './leaks/routes.ts';
import { type MemoryBudget, WAITING_BYTES } from './lib/memory-budget.ts';
import type { Metric } from './lib/metric.ts';
import { limitMetrics, type ResourceLimit } from './lib/resource-limit.ts';
import type { SharedBound } from './lib/shared-bound.ts';
import { managementRoutes } from './management/routes.ts';
import type { ManagementService } from './management/service.ts';
import { ownerRoutes } from './owners/routes.ts';
import type { OwnerService } from './owners/service.ts';
import { hygieneRoutes } from './reports/hygiene/routes.ts';
import type { HygieneService } from './reports/hygiene/service.ts';
import { idleKeysRoutes } from './reports/idle-keys/routes.ts';
import type { IdleKeysService } from './reports/idle-keys/service.ts';
import { usageQueryRoutes } from './usage/query/routes.ts';
import type { UsageQueryService } from './usage/query/service.ts';
import { usageRoutes } from './usage/routes.ts';
import type { UsageService } from './usage/service.ts';
import {
  type AuthorizeDependencies,
  authorizeRoutes,
  withoutGatewayPath,
} from './verification/authorize/routes.ts';
import { VerifyFastPath } from './verification/fast-path.ts';
import { introspectRoutes } from './verification/introspect/routes.ts';
import { verifyRoutes } from './verification/routes.ts';
import type { Verifier } from './verification/verifier.ts';
import { deliveryRoutes } from './webhooks/deliveries/routes.ts';
import type { DeliveriesService } from './webhooks/deliveries/service.ts';
import { webhookRoutes } from './webhooks/routes.ts';
import type { WebhookService } from './webhooks/service.ts';
import { whoamiRoutes } from './whoami/routes.ts';
import type { WhoamiService } from './whoami/service.ts';
import { workspaceRoutes } from './workspaces/routes.ts';
import type { WorkspaceService } from './workspaces/service.ts';

export interface AppDependencies {
  log: FastifyBaseLogger;
  /** Adds a span to each later request; undefined: there are no traces. */
  registerTracing: ((app: App) => void) | undefined;
  maxConnectionsPerAddress: number;
  maxInFlight: number;
  management: ManagementQueue;
  unsent: UnsentAnswers;
  memory: PlacesBudget & Pick<MemoryBudget, 'bodyBytes' | 'connections'>;
  logVerifyPerSecond: number;
  authenticate: Authenticate;
  present: Present;
  /** Whether an `Authorization` header may read the metrics. */
  mayReadMetrics: (authorization: string | undefined) => boolean;
  keyDetector: KeyDetector;
  verifier: Verifier;
  batchItems: SharedBound;
  gateway: Pick<AuthorizeDependencies, 'keyHeader' | 'now'>;
  whoami: WhoamiService;
  keys: KeyServices;
  owners: OwnerService;
  workspaces: WorkspaceService;
  managementKeys: ManagementService;
  webhooks: WebhookService;
  deliveries: DeliveriesService;
  usage: UsageService;
  hygiene: HygieneService;
  idleKeys: IdleKeysService;
  usageQuery: UsageQueryService;
  audit: AuditService;
  alerts: AlertService;
  leaks: Leaks;
  /** Null: there is no console. */
  console: Pick<ConsoleDependencies, 'sessions' | 'gate' | 'link'> | null;
  readiness: ReadinessChecks;
  resourceLimits: readonly ResourceLimit[];
  /** Beside those of the requests, of the limits and of the process. */
  metrics: readonly Metric[];
}

/** An owner has at most 128 characters, which may be of two units each. */
const MAX_PATH_PARAMETER_LENGTH = 256;

/** The HTTP application: hooks and routes. Does no I/O itself. */
export async function buildApp(deps: AppDependencies): Promise<App> {
  const admission = new Admission(deps.maxInFlight, deps.memory.bodyBytes);
  const rates = new RequestRates(() => deps.gateway.now());
  const shed = new ShedRequests();
  const requests = new RequestMetrics();
  const bounds = { max: deps.memory.connections, maxPerAddress: deps.maxConnectionsPerAddress };
  const connections = new Connections(bounds, shed);
  const requestLog = new RequestLog(deps.log, requests, deps.logVerifyPerSecond);
  const requestIdOf = requestIdGenerator(deps.keyDetector);
  const handedOn = new HandedOnRequests();
  const { verifier, present } = deps;
  const fastPath = new VerifyFastPath({
    ...{ verifier, present, admission, requestIdOf, requestLog, handedOn },
    isStopping: () => connections.sockets.isDraining,
  });
  const app = createApp(deps, connections, requestIdOf, fastPath);
  deps.registerTracing?.(app);
  app.addSchema(ProblemSchema);
  app.addSchema(ActorSchema);
  // Each adds to every later route, in this order: hooks in front of those before, then its place.
  registerBodyLimits(app);
  registerValidation(app, admission.bodies);
  registerErrorHandler(app, shed);
  registerAnswerHeaders(app);
  registerGracefulClose(app, connections.sockets, handedOn);
  registerAdmission(app, admission);
  registerRequestLog(app, requestLog, handedOn);
  registerUnknownRoutes(app);
  registerSingleHeaders(app);
  registerAuth(app, { ...deps, rates });
  registerPresentedCallers(app);
  const places = registerPlaces(app, deps.management, deps.unsent, deps.memory);
  await registerOpenApi(app, eventWebhooks());
  frontPageRoute(app);
  healthRoutes(app, deps.readiness, () => deps.gateway.now());
  const items = deps.batchItems.resourceLimit('batch_items', WAITING_BYTES);
  const ownLimits = [connections, admission, rates].flatMap(({ resourceLimits }) => resourceLimits);
  const limits = limitMetrics([...ownLimits, ...places, items, ...deps.resourceLimits]);
  const measured = [...requests.metrics, ...shed.metrics, ...processMetrics(app), ...limits];
  metricsRoutes(app, { ...deps, metrics: [...measured, ...deps.metrics] });
  registerFeatures(app, { ...deps, admission, rates, fastPath });
  return app;
}

function createApp(
  { log, console: page, registerTracing }: AppDependencies,
  connections: Connections,
  genReqId: RequestIdGenerator,
  fastPath: VerifyFastPath,
): App {
  return Fastify({
    ...fastifyLogging(log),
    // Spans are started by a hook, so with traces every request has to pass through Fastify.
    ...serverOptions(connections, registerTracing ? undefined : fastPath),
    genReqId,
    frameworkErrors: rejectUrl,
    rewriteUrl: (request) => page?.gate.enter(request) ?? withoutGatewayPath(request.url ?? '/'),
    // Its own 503 is no problem: registerGracefulClose refuses.
    return503OnClosing: false,
    schemaController: { compilersFactory: { buildSerializer: buildSerializers } },
    routerOptions: { maxParamLength: MAX_PATH_PARAMETER_LENGTH },
  }).withTypeProvider<TypeBoxTypeProvider>();
}

type Features = AppDependencies & {
  admission: Admission;
  rates: RequestRates;
  fastPath: VerifyFastPath;
};

function registerFeatures(app: App, deps: Features): void {
  verifyRoutes(app, deps);
  authorizeRoutes(app, { ...deps.gateway, ...deps });
  introspectRoutes(app, deps);
  whoamiRoutes(app, deps.whoami, deps.rates);
  keyRoutes(app, deps.keys);
  ownerRoutes(app, deps.owners);
  workspaceRoutes(app, deps.workspaces);
  managementRoutes(app, deps.managementKeys);
  webhookRoutes(app, deps.webhooks);
  deliveryRoutes(app, deps.deliveries);
  usageRoutes(app, deps.usage);
  hygieneRoutes(app, deps.hygiene);
  idleKeysRoutes(app, deps.idleKeys);
  usageQueryRoutes(app, deps.usageQuery);
  auditRoutes(app, deps.audit);
  alertRoutes(app, deps.alerts);
  leakRoutes(app, deps.leaks);
  if (deps.console) consoleRoutes(app, { ...deps, ...deps.console, ...deps.gateway });
}
