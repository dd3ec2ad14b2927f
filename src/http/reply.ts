import type { FastifyReply } from 'fastify';
import type { CallContext } from '../call-context.ts';
import type { Permission } from '../domain/caller.ts';
import type { Versioned } from './etag.ts';

/** The result of a call, which may be of something without a version. */
export type CallResult<T> = Omit<Versioned<T>, 'etag'> & { etag?: string };

/** Sets the headers of a result. Returns its body, which the handler returns in turn. */
export function sendResult<T>(reply: FastifyReply, { body, etag, replayed }: CallResult<T>): T {
  if (etag) reply.header('etag', etag);
  if (replayed) reply.header('idempotent-replayed', 'true');
  return body;
}

/** What a change has made, to a caller that may read it; to others that it is done. */
export function sendChanged<T>(
  reply: FastifyReply,
  { caller }: CallContext,
  permission: Permission,
  result: CallResult<T>,
): T | FastifyReply {
  const body = sendResult(reply, result);
  return caller.permissions.has(permission) ? body : reply.status(204).send(null);
}

/** The answer of a call that has nothing to show: there is no version left, so no entity tag. */
export function sendDone(reply: FastifyReply, { replayed }: CallResult<object>) {
  if (replayed) reply.header('idempotent-replayed', 'true');
  return reply.status(204).send(null);
}
