import type { FastifyRequest } from 'fastify';
import type { CallContext } from '../call-context.ts';
import type { Permission } from '../domain/caller.ts';
import { KeywardError } from '../errors.ts';
import type { App } from './app-type.ts';
import type { CallContexts } from './call-contexts.ts';
import type { KeyDetector } from './key-detector.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The management permission that a call needs; checked before its body is read. */
    permission?: Permission;
    /** Passes also when the instance is overloaded. */
    alwaysAdmitted?: boolean;
    /** Of successful calls only so many a second are logged. */
    logSampled?: boolean;
  }
  interface FastifyRequest {
    call: CallContext | null;
  }
}

/** Authenticates every route that names a permission, and keeps keys out of what is stored. */
export function registerAuth(app: App, contexts: CallContexts, detector: KeyDetector) {
  app.decorateRequest('call', null);
  const authenticate = async (request: FastifyRequest) => {
    const { permission } = request.routeOptions.config;
    if (permission) request.call = await contexts.of(request, permission);
  };
  const inspect = async (request: FastifyRequest) => {
    if (!request.call) return;
    if (request.body && detector.isContainedIn(JSON.stringify(request.body))) {
      throw new KeywardError('CONTAINS_KEY', 'Remove the API key: keys are never stored as text.');
    }
    request.call = { ...request.call, idempotency: contexts.idempotencyOf(request) };
  };
  // Only on such routes: the verification path runs no hook that has nothing to do.
  app.addHook('onRoute', (route) => {
    if (!route.config?.permission) return;
    route.onRequest = [authenticate, ...[route.onRequest ?? []].flat()];
    route.preHandler = [inspect, ...[route.preHandler ?? []].flat()];
  });
}

export function getCallContext(request: FastifyRequest): CallContext {
  if (!request.call) throw new Error('this route names no permission');
  return request.call;
}
