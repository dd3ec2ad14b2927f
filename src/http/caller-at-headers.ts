import type { FastifyRequest } from 'fastify';
import { groupOf, type Identify, type Recognize, requirePermission } from '../call-context.ts';
import type { Permission } from '../domain/caller.ts';
import type { RequestRates } from './request-rates.ts';

export interface CallerDependencies {
  recognize: Recognize;
  identify: Identify;
  rates: RequestRates;
}

type Done = (error?: Error) => void;

/**
 * Lets a request in before its body is read: of a caller that memory knows at once, so that a
 * verification costs one fence, and of any other once it is identified. So is one that memory would
 * refuse for its rate, which may have been raised.
 */
export function requireCallerAtHeaders(
  { recognize, identify, rates }: CallerDependencies,
  permission: Permission,
) {
  const identifyFirst = async (request: FastifyRequest) => {
    const { caller } = await identify(request.headers.authorization);
    requirePermission(caller, permission);
    rates.take(caller);
    request.callerGroup = groupOf(caller);
  };
  return (request: FastifyRequest, _reply: unknown, done: Done): void => {
    const known = recognize(request.headers.authorization);
    if (!known?.permissions.has(permission) || !rates.admits(known)) {
      void identifyFirst(request).then(() => done(), done);
      return;
    }
    request.callerGroup = groupOf(known);
    done();
  };
}
