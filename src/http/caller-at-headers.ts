import type { FastifyRequest } from 'fastify';
import { type Present, requirePermission } from '../call-context.ts';
import type { Permission, PresentedCaller } from '../domain/caller.ts';
import type { App } from './app-type.ts';
import type { RequestRates } from './request-rates.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls a route that lets callers in at their headers; null on the others. */
    presented: PresentedCaller | null;
  }
}

export interface CallerDependencies {
  present: Present;
  rates: RequestRates;
}

type Done = (error?: Error) => void;

export function registerPresentedCallers(app: App): void {
  app.decorateRequest('presented', null);
}

/**
 * Lets a request in before its body is read: of a caller that memory knows at once, so that a
 * verification costs one fence, and of any other once it is identified. So is one that memory would
 * refuse for its rate, which may have been raised.
 */
export function requireCallerAtHeaders(
  { present, rates }: CallerDependencies,
  permission: Permission,
) {
  const identifyFirst = async (request: FastifyRequest, presented: PresentedCaller) => {
    const { caller } = await presented.identify();
    requirePermission(caller, permission);
    rates.take(caller);
    request.callerGroup = caller.group;
  };
  return (request: FastifyRequest, _reply: unknown, done: Done): void => {
    const presented = present(request.headers.authorization);
    request.presented = presented;
    const known = presented.recall()?.caller;
    if (!known?.permissions.has(permission) || !rates.admits(known)) {
      void identifyFirst(request, presented).then(() => done(), done);
      return;
    }
    request.callerGroup = known.group;
    done();
  };
}

export function presentedCaller({ presented }: FastifyRequest): PresentedCaller {
  if (!presented) throw new Error('this route lets no caller in at its headers');
  return presented;
}
