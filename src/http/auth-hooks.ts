import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CallContext } from '../call-context.ts';
import type { Permission } from '../domain/caller.ts';
import { newSearchBudget, type SearchBudget } from '../domain/key-string.ts';
import { KeywardError } from '../errors.ts';
import type { App } from './app-type.ts';
import {
  type CallContextDependencies,
  createCallContext,
  requireCallerStill,
} from './call-contexts.ts';
import { readIdempotencyKey } from './idempotency-key.ts';
import type { KeyDetector } from './key-detector.ts';
import type { RequestRates } from './request-rates.ts';
import { findStructureFault } from './validation/json-structure.ts';
import { setItemsAside } from './validation/list-items.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The management permission that the call needs; checked before its body is read. */
    permission?: Permission;
    /** The list in its body whose items are answered one by one. */
    list?: string;
    /** Its body has a key, of which nothing is stored. */
    takesKey?: boolean;
    /** Only a bounded number of its successful calls is logged each second. */
    logSampled?: boolean;
  }
  interface FastifyRequest {
    call: CallContext | null;
    /** Whose share of bounded resources it uses, by `groupOf`; empty until that is known. */
    callerGroup: string;
    /** Gives back what the items of its list took of the caller's rate. */
    giveItemsBack: (() => void) | null;
  }
}

const CONTAINS_KEY = 'Remove the API key: keys are never stored as text.';

/** Authenticates every route that names a permission, and keeps keys out of what is stored. */
export function registerAuth(
  app: App,
  deps: CallContextDependencies & { rates: RequestRates },
): void {
  app.decorateRequest('call', null);
  app.decorateRequest('callerGroup', '');
  app.decorateRequest('giveItemsBack', null);
  const authenticate = async (request: FastifyRequest) => {
    const { permission, urgent } = request.routeOptions.config;
    if (!permission) return;
    request.call = await createCallContext(request, permission, deps);
    if (!urgent) deps.rates.take(request.call.caller);
    request.callerGroup = request.call.caller.group;
  };
  const authenticateAgain = async (request: FastifyRequest) => {
    const { permission } = request.routeOptions.config;
    if (permission && request.body) await requireCallerStill(request, permission, deps);
  };
  const inspectBody = bodyInspector(deps);
  // Only on these routes: the verification path runs no hook that has nothing to do.
  app.addHook('onRoute', (route) => {
    if (!route.config?.permission) return;
    route.onRequest = [authenticate, ...[route.onRequest ?? []].flat()];
    route.preHandler = [authenticateAgain, inspectBody, ...[route.preHandler ?? []].flat()];
    if (route.config.list) route.onSend = [countNoItems, ...[route.onSend ?? []].flat()];
  });
}

/** What is refused as too much, or could not be done, does not count. */
async function countNoItems(request: FastifyRequest, reply: FastifyReply, payload: unknown) {
  if (reply.statusCode === 503) request.giveItemsBack?.();
  return payload;
}

function itemsIn(body: unknown, list: string): number {
  const items: unknown = Reflect.get(Object(body), list);
  return Array.isArray(items) ? items.length : 0;
}

/** Refuses what has a key in what would be stored, then adds the Idempotency-Key to the call. */
function bodyInspector({ keyDetector, rates }: { keyDetector: KeyDetector; rates: RequestRates }) {
  const faultOfItem = (budget: SearchBudget) => (item: unknown) => {
    const fault = findStructureFault(item);
    if (fault || !keyDetector.isContainedIn(item, budget)) return fault;
    return { pointer: '', detail: CONTAINS_KEY };
  };
  return async (request: FastifyRequest): Promise<void> => {
    const { list, takesKey, urgent } = request.routeOptions.config;
    if (!request.call || takesKey) return;
    const { body = null, params, query, method } = request;
    if (list && !urgent) {
      const items = itemsIn(body, list);
      request.giveItemsBack = rates.takeItems(request.call.caller, items, `/body/${list}`);
    }
    if (list) await setItemsAside(body, list, faultOfItem(newSearchBudget()));
    const envelope = list ? { ...Object(body), [list]: null } : body;
    // A change stores or audits what its path and query say too.
    const stored = method === 'GET' ? envelope : [envelope, params, query];
    if (keyDetector.isContainedIn(stored)) throw new KeywardError('CONTAINS_KEY', CONTAINS_KEY);
    const idempotency = await readIdempotencyKey(request, keyDetector);
    request.call = { ...request.call, idempotency };
  };
}

export function getCallContext(request: FastifyRequest): CallContext {
  if (!request.call) throw new Error('this route names no permission');
  return request.call;
}
