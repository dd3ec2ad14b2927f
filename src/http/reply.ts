import type { FastifyReply } from 'fastify';
import type { Versioned } from './etag.ts';

/** The result of a call, which may be of something without a version. */
export type CallResult<T> = Omit<Versioned<T>, 'etag'> & { etag?: string };

/** Sets the headers of a result. Returns its body, which the handler returns in turn. */
export function sendResult<T>(reply: FastifyReply, { body, etag, replayed }: CallResult<T>): T {
  if (etag) reply.header('etag', etag);
  if (replayed) reply.header('idempotent-replayed', 'true');
  return body;
}

/** The answer of a call that has nothing to show: there is no version left, so no entity tag. */
export function sendDone(reply: FastifyReply, { replayed }: CallResult<object>) {
  if (replayed) reply.header('idempotent-replayed', 'true');
  return reply.status(204).send(null);
}
