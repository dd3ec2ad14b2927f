import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Credential } from '../credentials/credential.ts';
import { ROOT_CALLER } from '../domain/caller.ts';
import type { App } from '../http/app-type.ts';
import { RATE_LIMIT_HEADERS, rateLimitHeaders } from '../http/rate-limit-headers.ts';
import type { RequestRates } from '../http/request-rates.ts';
import { answers, ref } from '../http/schemas.ts';
import { limitsOf, presentPresentedKey } from './presenter.ts';
import { WhoAmI } from './schemas.ts';
import type { WhoamiService } from './service.ts';

const tags = ['Verification'];
const security = [{ presentedKey: [] }];

export function whoamiRoutes(app: App, whoami: WhoamiService, rates: RequestRates): void {
  app.addSchema(WhoAmI);
  /** Before a body is read, and before the request takes a place: anyone may call. */
  const authenticate = async (request: FastifyRequest) => {
    const presented = await whoami.authenticate(request.headers.authorization);
    request.callerGroup = groupOfHolder(presented);
    return presented;
  };
  /** To ask with a management key is a call of its caller; to end it is never refused. */
  const authenticateToAsk = async (request: FastifyRequest) => {
    const presented = await authenticate(request);
    if (presented !== 'root' && presented.kind === 'management') rates.take(presented.caller);
  };
  const authenticateToEnd = async (request: FastifyRequest) => {
    await authenticate(request);
  };

  app.get(
    '/v1/whoami',
    {
      onRequest: authenticateToAsk,
      config: { place: 'management' },
      schema: {
        operationId: 'whoAmI',
        tags,
        security,
        summary: 'Get the presented key',
        description:
          'For the holder of a key: what the key presented as `Authorization: Bearer`, a ' +
          "customer's or a management key, is and may do, and how its limits stand, also as " +
          '`RateLimit` headers. Neither counted nor consumed. Every string that is not valid gets ' +
          'the same 401.',
        response: answers(
          { 200: ref(WhoAmI, { headers: RATE_LIMIT_HEADERS }) },
          'UNAUTHENTICATED',
          'TOO_MANY_REQUESTS',
        ),
      },
    },
    async ({ headers }, reply) => {
      const presented = await whoami.identify(headers.authorization);
      reply.headers(rateLimitHeaders(limitsOf(presented), whoami.now()));
      return presentPresentedKey(presented);
    },
  );

  app.post(
    '/v1/whoami/revoke',
    {
      onRequest: authenticateToEnd,
      config: { place: 'management', urgent: true },
      schema: {
        operationId: 'revokeOwnKey',
        tags,
        security,
        summary: 'Revoke the presented key',
        description:
          "Revokes the key presented as `Authorization: Bearer`, a customer's or a management key, " +
          'for good and at once: the whole key, also if the presented string is a retiring one. A ' +
          'second call is a 401.',
        response: answers(
          { 204: Type.Null({ description: 'The key is revoked.' }) },
          'UNAUTHENTICATED',
          'FORBIDDEN',
        ),
      },
    },
    async ({ headers: { authorization }, id, ip }, reply) => {
      await whoami.revokeOwnKey({ authorization, requestId: id, ip });
      return reply.status(204).send(null);
    },
  );
}

/** The holders of a workspace's keys have a share of their own beside its management keys. */
function groupOfHolder(presented: Credential | 'root'): string {
  if (presented === 'root') return ROOT_CALLER.group;
  if (presented.kind === 'management') return presented.caller.group;
  return ` holders of ${presented.workspaceId}`;
}
