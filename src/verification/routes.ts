import type { FastifyRequest } from 'fastify';
import { type Authenticate, requirePermission, workspaceScope } from '../call-context.ts';
import type { Caller } from '../domain/caller.ts';
import { KeywardError } from '../errors.ts';
import type { App } from '../http/app-type.ts';
import { toProblem } from '../http/error-handler.ts';
import { statusOf } from '../http/problem.ts';
import { answers, ref } from '../http/schemas.ts';
import { undecidedJson, verificationJson } from './answer.ts';
import { VerifyAnswer, VerifyAnswers, VerifyBatch, VerifyRequest } from './schemas.ts';
import type { Verifier } from './verifier.ts';

const BATCH_BODY_LIMIT_BYTES = 1_048_576;
/** Answers are built as text, so their type must be set. */
const ANSWER_HEADERS = {
  'cache-control': 'no-store',
  'content-type': 'application/json; charset=utf-8',
};
const SCHEME = /^(bearer|apikey|basic|token)\s/i;

export function verifyRoutes(app: App, verifier: Verifier, authenticate: Authenticate): void {
  app.addSchema(VerifyAnswer);
  app.addSchema(VerifyAnswers);

  /** Callers are authenticated before their input is judged: outsiders learn nothing of it. */
  const errorHandler = async (error: Error, { headers }: FastifyRequest) => {
    await scopeOf(authenticate(headers.authorization), undefined);
    throw error;
  };
  const verify = async (request: VerifyRequest, caller: Promise<Caller>, requestId: string) =>
    verificationJson(
      await verifier.verify(request, scopeOf(caller, request.workspaceId)),
      requestId,
    );

  app.post<{ Body: VerifyRequest; Reply: string }>(
    '/v1/verify',
    {
      errorHandler,
      config: { logSampled: true },
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
      reply.headers(ANSWER_HEADERS);
      return verify(body, authenticate(headers.authorization), id);
    },
  );

  app.post<{ Body: VerifyBatch; Reply: string }>(
    '/v1/verify/batch',
    {
      errorHandler,
      config: { logSampled: true },
      bodyLimit: BATCH_BODY_LIMIT_BYTES,
      schema: {
        operationId: 'verifyKeys',
        tags: ['Verification'],
        summary: 'Verify many keys',
        description:
          'Up to 100 verifications, each on its own, answered in order. One that cannot be decided ' +
          'has the code `UNAVAILABLE`: ask for it again. Where none can, the answer is 503. Needs ' +
          'the permission `keys:verify`.',
        body: VerifyBatch,
        response: answers({ 200: ref(VerifyAnswers) }, 404, 413, 415),
      },
    },
    async (request, reply) => {
      const { body, headers, id } = request;
      body.requests.forEach(({ key }, index) => {
        refuseScheme(key, `/body/requests/${index}/key`);
      });
      reply.headers(ANSWER_HEADERS);
      const caller = authenticate(headers.authorization);
      const results = await Promise.allSettled(body.requests.map((one) => verify(one, caller, id)));
      return `{"results":[${settleEach(results, request).join()}]}`;
    },
  );
}

/** An item that cannot be decided fails alone: the others may have consumed quota. */
function settleEach(
  results: readonly PromiseSettledResult<string>[],
  request: FastifyRequest,
): string[] {
  const failures = results.filter((result) => result.status === 'rejected');
  const fatal = failures.find(({ reason }) => statusOf(toProblem(reason, request)) !== 503);
  if (fatal) throw fatal.reason;
  if (failures[0] && failures.length === results.length) throw failures[0].reason;
  if (failures[0]) {
    const { reason: err } = failures[0];
    const line = { requestId: request.id, undecided: failures.length, err };
    request.log.warn(line, 'batch items not decided');
  }
  const undecided = undecidedJson(request.id);
  return results.map((result) => (result.status === 'fulfilled' ? result.value : undecided));
}

/** The workspace that the caller asks about; null: every workspace. */
async function scopeOf(
  authenticated: Promise<Caller>,
  requested: string | undefined,
): Promise<string | null> {
  const caller = await authenticated;
  requirePermission(caller, 'keys:verify');
  return workspaceScope(caller, requested);
}

/** The commonest mistake: the whole `Authorization` header passed on. */
function refuseScheme(key: string, pointer: string): void {
  if (!SCHEME.test(key)) return;
  const detail = 'Pass the key alone: remove the authorization scheme and the space after it.';
  throw new KeywardError('KEY_WITH_SCHEME', detail, [{ pointer, detail }]);
}
