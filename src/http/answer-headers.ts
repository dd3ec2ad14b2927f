import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from './app-type.ts';

/** For what a browser opens: its own scripts and styles, and in no frame of another page. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
};

export function registerAnswerHeaders(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    setAnswerHeaders(request, reply);
    done();
  });
}

/** Every answer has its request id, and none is for a cache: it may show a secret, or be out of date. */
export function commonHeaders(requestId: string): Record<string, string> {
  return { 'x-request-id': requestId, 'cache-control': 'no-store' };
}

export function setAnswerHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(commonHeaders(request.id));
  if (!request.routeOptions.url?.startsWith('/v1/')) reply.headers(PAGE_HEADERS);
}
