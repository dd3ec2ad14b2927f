import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Answers 304 instead of what the caller has already: `If-None-Match` compares weakly. Only for what
 * nothing but a change alters: keys expire, are used and spend, and keep their entity tag.
 */
export async function answerNotModified(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): Promise<unknown> {
  const etag = reply.getHeader('etag');
  const known = request.headers['if-none-match'];
  if (reply.statusCode !== 200 || typeof etag !== 'string' || known === undefined) return payload;
  const tags = known.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (!tags.includes(etag) && !tags.includes('*')) return payload;
  reply.code(304).removeHeader('content-type').removeHeader('content-length');
  return null;
}
