import type { FastifyRequest } from 'fastify';
import { isOfOtherWorkspace, requirePermission } from '../call-context.ts';
import type { IdentifiedCaller } from '../domain/caller.ts';
import { invalidField, KeywardError } from '../errors.ts';
import type { App } from '../http/app-type.ts';
import {
  type CallerDependencies,
  presentedCaller,
  requireCallerAtHeaders,
} from '../http/caller-at-headers.ts';
import { toProblem } from '../http/error-handler.ts';
import { refuseScheme } from '../http/key-scheme.ts';
import { statusOf } from '../http/problem.ts';
import { requestFields } from '../http/request-log.ts';
import { answers, ref } from '../http/schemas.ts';
import type { UnsentAnswers } from '../http/unsent-answers.ts';
import { envelopeCompiler } from '../http/validation/list-items.ts';
import { type Parsed, parserOf } from '../http/validation/parsers.ts';
import type { Log } from '../lib/log-events.ts';
import { OverloadError } from '../lib/overload-error.ts';
import type { SharedBound } from '../lib/shared-bound.ts';
import { mapInTurns } from '../lib/turns.ts';
import { ANSWER_TYPE, decidedItemJson, failedItemJson, verificationJson } from './answer.ts';
import { verificationCaller } from './caller.ts';
import type { VerifyFastPath } from './fast-path.ts';
import {
  VERIFY_BODY_LIMIT_BYTES,
  VERIFY_PATH,
  VerifyAnswer,
  VerifyAnswers,
  VerifyBatch,
  VerifyBatchResult,
  VerifyRequest,
} from './schemas.ts';
import type { Verifier } from './verifier.ts';

const BATCH_BODY_LIMIT_BYTES = 1_048_576;

export interface VerifyRouteDependencies extends CallerDependencies {
  verifier: Verifier;
  fastPath: VerifyFastPath;
  /** Items of batches at work, shared between callers: all of them may wait for the database. */
  batchItems: SharedBound;
  unsent: UnsentAnswers;
}

export function verifyRoutes(app: App, deps: VerifyRouteDependencies): void {
  const { verifier, fastPath, batchItems, unsent, rates } = deps;
  app.addSchema(VerifyAnswer);
  app.addSchema(VerifyBatchResult);
  app.addSchema(VerifyAnswers);

  /** Before the body. The verdict is of after it, so the caller is identified again then. */
  const onRequest = requireCallerAtHeaders(deps, 'keys:verify');

  app.post<{ Body: VerifyRequest; Reply: string }>(
    VERIFY_PATH,
    {
      onRequest: [fastPath.refuseFailed, onRequest],
      config: { logSampled: true },
      bodyLimit: VERIFY_BODY_LIMIT_BYTES,
      schema: {
        operationId: 'verifyKey',
        tags: ['Verification'],
        summary: 'Verify a key',
        description:
          'Says whether a presented key may do what is requested. A negative verdict is an answer ' +
          'too: its status is 200. Requires the permission `keys:verify`.',
        body: VerifyRequest,
        response: answers(
          { 200: ref(VerifyAnswer) },
          'UNAUTHENTICATED',
          'FORBIDDEN',
          'NOT_FOUND',
          'KEY_WITH_SCHEME',
          'TOO_MANY_REQUESTS',
        ),
      },
    },
    async (request, reply) => {
      const { body, id } = request;
      refuseScheme(body.key, '/body/key');
      reply.header('content-type', ANSWER_TYPE);
      return verificationJson(await verifier.verify(body, presentedCaller(request)), id);
    },
  );

  const parseItem = parserOf(VerifyRequest);

  const occupyItems = (group: string, count: number) => {
    if (unsent.isFull(group)) throw new OverloadError('unsent', 'this caller reads no answers');
    if (batchItems.hasRoom(group, count)) return batchItems.take(group, count);
    throw new OverloadError('batch', 'this caller has too many batches under way');
  };

  /** An item stands alone: what is wrong with it is its own result. Its text is made in turns. */
  const verifyItem = async (
    parsed: Parsed<VerifyRequest>,
    identified: IdentifiedCaller,
    requestId: string,
  ) => {
    if ('errors' in parsed) {
      return () => failedItemJson('INVALID_REQUEST', parsed.errors, requestId);
    }
    refuseScheme(parsed.value.key, '/key');
    const { workspaceId } = parsed.value;
    requireOwnWorkspace(identified, workspaceId);
    const caller = verificationCaller(identified, workspaceId);
    const verification = await verifier.resolve(parsed.value, Promise.resolve(caller));
    return () => decidedItemJson(verification, requestId);
  };

  app.post<{ Body: { requests: unknown[] }; Reply: string }>(
    '/v1/verify/batch',
    {
      onRequest,
      config: { logSampled: true },
      bodyLimit: BATCH_BODY_LIMIT_BYTES,
      validatorCompiler: envelopeCompiler(VerifyBatch, 'requests'),
      schema: {
        operationId: 'verifyKeys',
        tags: ['Verification'],
        summary: 'Verify many keys',
        description:
          'Up to 100 verifications, each on its own, answered in order. An item that is not valid ' +
          'has the code `INVALID_REQUEST` or `KEY_WITH_SCHEME` and its own `errors`; one that cannot ' +
          'be decided has the code `UNAVAILABLE`: ask for it again. If no item can be decided, the ' +
          'answer is 503. Requires the permission `keys:verify`.',
        body: VerifyBatch,
        response: answers(
          { 200: ref(VerifyAnswers) },
          'UNAUTHENTICATED',
          'FORBIDDEN',
          'TOO_MANY_REQUESTS',
        ),
      },
    },
    async (request, reply) => {
      const { body, id } = request;
      reply.header('content-type', ANSWER_TYPE);
      const identified = await presentedCaller(request).identify();
      const { caller } = identified;
      requirePermission(caller, 'keys:verify');
      const { requests } = body;
      const release = occupyItems(caller.group, requests.length);
      const verifyAll = async () => {
        // After there is room for them: what is refused as too much does not count.
        rates.takeItems(caller, requests.length, '/body/requests');
        const items = await mapInTurns(requests, parseItem);
        return Promise.allSettled(items.map((item) => verifyItem(item, identified, id)));
      };
      const results = await verifyAll().finally(release);
      const texts = await mapInTurns(settleEach(results, request), (text) => text());
      const answer = `{"results":[${texts.join()}]}`;
      unsent.watch(reply, caller.group, answer);
      return answer;
    },
  );
}

/** By the field: as the code of an item, NOT_FOUND is a verdict on its key. */
function requireOwnWorkspace({ caller }: IdentifiedCaller, requested: string | undefined): void {
  if (isOfOtherWorkspace(caller, requested)) {
    throw invalidField('/workspaceId', 'no such workspace, or not one of this management key');
  }
}

/** An item that fails does so alone: the others may have consumed quota. */
function settleEach(
  results: readonly PromiseSettledResult<() => string>[],
  request: FastifyRequest,
): (() => string)[] {
  const problems = results.map((result) =>
    result.status === 'rejected' ? toProblem(result.reason, request) : null,
  );
  const undecided = results.filter((_, index) => isUndecided(problems[index]));
  const [first] = undecided;
  if (first?.status === 'rejected') {
    if (undecided.length === results.length) throw first.reason;
    const line = { ...requestFields(request), undecided: undecided.length, err: first.reason };
    const log: Log = request.log;
    log.warn({ event: 'batch.items_undecided', ...line }, 'batch items not decided');
  }
  return results.map((result, index) => {
    if (result.status === 'fulfilled') return result.value;
    const { code, errors } = problems[index] ?? new KeywardError('UNAVAILABLE');
    const [shown, fields] = isUndecided(problems[index])
      ? (['UNAVAILABLE', []] as const)
      : ([code, errors] as const);
    return () => failedItemJson(shown, fields, request.id);
  });
}

function isUndecided(problem: KeywardError | null | undefined): boolean {
  return problem ? statusOf(problem) >= 500 : false;
}
