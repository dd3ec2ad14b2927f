import type { App } from '../http/app-type.ts';
import type { Authenticate } from '../http/authentication.ts';
import { requirePermission, workspaceScope } from '../http/authentication.ts';
import { Problem } from '../http/problem.ts';
import { answers, ref } from '../http/schemas.ts';
import type { KeyState } from './state.ts';
import type { Verdict, Verifier } from './verifier.ts';
import { VerifyAnswer, VerifyRequest } from './verify.schemas.ts';

const SCHEME = /^(bearer|apikey|basic|token)\s/i;

export function verifyRoutes(app: App, verifier: Verifier, authenticate: Authenticate): void {
  app.addSchema(VerifyAnswer);
  app.post(
    '/v1/verify',
    {
      // Outsiders learn nothing of what this call takes: whatever is wrong, the caller comes first.
      errorHandler: async (error, request) => {
        await authorize(authenticate, request.headers.authorization, undefined);
        throw error;
      },
      schema: {
        operationId: 'verifyKey',
        tags: ['Verification'],
        summary: 'Verify a key',
        description:
          'Says whether a presented key may do what is asked. A negative verdict is an answer too: ' +
          'its status is 200. Needs the permission `keys:verify`.',
        body: VerifyRequest,
        response: answers({ 200: ref(VerifyAnswer) }, 413, 415),
      },
    },
    async (request, reply) => {
      refuseScheme(request.body.key);
      reply.header('cache-control', 'no-store');
      const { authorization } = request.headers;
      const workspace = authorize(authenticate, authorization, request.body.workspaceId);
      return answerOf(await verifier.verify(request.body, workspace), request.id);
    },
  );
}

/** Which workspace the caller asks about: null is all of them. */
async function authorize(
  authenticate: Authenticate,
  authorization: string | undefined,
  wanted: string | undefined,
): Promise<string | null> {
  const caller = await authenticate(authorization);
  requirePermission(caller, 'keys:verify');
  return workspaceScope(caller, wanted);
}

/** The commonest mistake: the whole `Authorization` header passed on. */
function refuseScheme(key: string): void {
  if (!SCHEME.test(key)) return;
  const detail = 'Pass the key alone: remove the authorization scheme and the space after it.';
  throw new Problem('KEY_WITH_SCHEME', detail, [{ pointer: '/body/key', detail }]);
}

function answerOf({ code, missingScopes, state }: Verdict, requestId: string): VerifyAnswer {
  const about = state ? describe(state, missingScopes) : NOTHING;
  return { valid: code === 'VALID', code, ...about, requestId };
}

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
  rotation: null,
};

function describe(state: KeyState, missingScopes: readonly string[]): About {
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
    rotation: { retiring: state.validUntil !== null, validUntil: iso(state.validUntil) },
  };
}

function iso(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
