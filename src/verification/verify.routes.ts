import type { FastifyRequest } from 'fastify';
import type { Caller } from '../domain/caller.ts';
import type { App } from '../http/app-type.ts';
import type { Authenticate } from '../http/authentication.ts';
import { requirePermission, workspaceScope } from '../http/authentication.ts';
import { Problem } from '../http/problem.ts';
import { answers, ref } from '../http/schemas.ts';
import type { KeyState } from './state.ts';
import type { Spending, Verdict, Verifier } from './verifier.ts';
import { VerifyAnswer, VerifyAnswers, VerifyBatch, VerifyRequest } from './verify.schemas.ts';

const BATCH_BODY_LIMIT_BYTES = 1_048_576;
const SCHEME = /^(bearer|apikey|basic|token)\s/i;

export function verifyRoutes(app: App, verifier: Verifier, authenticate: Authenticate): void {
  app.addSchema(VerifyAnswer);
  app.addSchema(VerifyAnswers);

  /** Outsiders learn nothing of what a call takes: whatever is wrong, the caller comes first. */
  const errorHandler = async (error: Error, { headers }: FastifyRequest) => {
    await scopeOf(authenticate(headers.authorization), undefined);
    throw error;
  };
  const verify = async (request: VerifyRequest, caller: Promise<Caller>, requestId: string) =>
    answerOf(await verifier.verify(request, scopeOf(caller, request.workspaceId)), requestId);

  app.post(
    '/v1/verify',
    {
      errorHandler,
      schema: {
        operationId: 'verifyKey',
        tags: ['Verification'],
        summary: 'Verify a key',
        description:
          'Says whether a presented key may do what is asked. A negative verdict is an answer too: ' +
          'its status is 200. Needs the permission `keys:verify`.',
        body: VerifyRequest,
        response: answers({ 200: ref(VerifyAnswer) }, 404, 413, 415),
      },
    },
    async ({ body, headers, id }, reply) => {
      refuseScheme(body.key, '/body/key');
      reply.header('cache-control', 'no-store');
      return verify(body, authenticate(headers.authorization), id);
    },
  );

  app.post(
    '/v1/verify/batch',
    {
      errorHandler,
      bodyLimit: BATCH_BODY_LIMIT_BYTES,
      schema: {
        operationId: 'verifyKeys',
        tags: ['Verification'],
        summary: 'Verify many keys',
        description:
          'Up to 100 verifications, each on its own, answered in order. Needs the permission ' +
          '`keys:verify`.',
        body: VerifyBatch,
        response: answers({ 200: ref(VerifyAnswers) }, 404, 413, 415),
      },
    },
    async ({ body, headers, id }, reply) => {
      body.requests.forEach(({ key }, index) => {
        refuseScheme(key, `/body/requests/${index}/key`);
      });
      reply.header('cache-control', 'no-store');
      const caller = authenticate(headers.authorization);
      return { results: await Promise.all(body.requests.map((one) => verify(one, caller, id))) };
    },
  );
}

/** Which workspace the caller asks about: null is all of them. */
async function scopeOf(
  authenticated: Promise<Caller>,
  wanted: string | undefined,
): Promise<string | null> {
  const caller = await authenticated;
  requirePermission(caller, 'keys:verify');
  return workspaceScope(caller, wanted);
}

/** The commonest mistake: the whole `Authorization` header passed on. */
function refuseScheme(key: string, pointer: string): void {
  if (!SCHEME.test(key)) return;
  const detail = 'Pass the key alone: remove the authorization scheme and the space after it.';
  throw new Problem('KEY_WITH_SCHEME', detail, [{ pointer, detail }]);
}

export function answerOf(verdict: Verdict, requestId: string): VerifyAnswer {
  const { code, state } = verdict;
  const about = state ? describe(state, verdict) : NOTHING;
  return { valid: code === 'VALID', code, ...about, requestId };
}

function creditsOf(spending: Spending | null) {
  if (!spending || spending.credits === null) return null;
  return { remaining: spending.credits };
}

type ShownLimit = Spending['rateLimits'][number];
type About = Omit<VerifyAnswer, 'valid' | 'code' | 'requestId'>;

/** What outsiders learn of a key that they cannot prove: nothing. */
const NOTHING: About = {
  keyId: null,
  workspaceId: null,
  name: null,
  ownerId: null,
  scopes: null,
  missingScopes: null,
  resources: null,
  metadata: null,
  expiresAt: null,
  credits: null,
  rateLimits: null,
  rotation: null,
};

function describe(state: KeyState, { missingScopes, spending }: Verdict): About {
  const { keyId, workspaceId, name, ownerId, scopes, resources, metadata, expiresAt } = state;
  return {
    keyId,
    workspaceId,
    name,
    ownerId,
    scopes: [...scopes],
    missingScopes: [...missingScopes],
    resources: resources && [...resources],
    metadata,
    expiresAt: iso(expiresAt),
    credits: creditsOf(spending),
    rateLimits: spending?.rateLimits.map(showLimit) ?? null,
    rotation: { retiring: state.validUntil !== null, validUntil: iso(state.validUntil) },
  };
}

function showLimit({ name, limit, windowSeconds, remaining, resetAt, exceeded }: ShownLimit) {
  return { name, limit, windowSeconds, remaining, resetAt: iso(resetAt), exceeded };
}

function iso(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
