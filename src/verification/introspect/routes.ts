import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Admission } from '../../http/admission.ts';
import type { App } from '../../http/app-type.ts';
import {
  type CallerDependencies,
  presentedCaller,
  requireCallerAtHeaders,
} from '../../http/caller-at-headers.ts';
import { answers, ref } from '../../http/schemas.ts';
import { textValidator } from '../../http/validation/validators.ts';
import type { Verifier } from '../verifier.ts';
import { introspectionOf } from './answer.ts';
import { asBearer } from './client-credentials.ts';
import { FORM_TYPE, takeForms } from './form-body.ts';
import { Introspection, IntrospectRequest } from './schemas.ts';

const BODY_LIMIT_BYTES = 32_768;
const NAMES = Object.keys(IntrospectRequest.properties);

const DESCRIPTION =
  'Token introspection as RFC 7662 has it, for libraries that know no other way: the token is a ' +
  'key. Everything but `VALID` is `{"active": false}`, with status 200. It is a verification: it ' +
  'counts, and consumes what `cost` says of limits and credits. The management key is sent as ' +
  'Bearer, or by HTTP Basic as the password, with any user name. `ip`, `resource`, `cost` and ' +
  '`workspaceId` mean what they mean to `/v1/verify`; parameters that are not known are ignored. ' +
  'Requires the permission `keys:verify`.';

export interface IntrospectDependencies extends CallerDependencies {
  verifier: Verifier;
  admission: Admission;
}

export function introspectRoutes(app: App, deps: IntrospectDependencies): void {
  const { verifier, admission } = deps;
  app.addSchema(Introspection);
  app.register(async (scope: App) => {
    takeForms(scope, admission, NAMES);
    scope.post<{ Body: IntrospectRequest; Reply: Introspection }>(
      '/v1/introspect',
      {
        onRequest: [takeBasic, requireCallerAtHeaders(deps, 'keys:verify')],
        onSend: challengeForBoth,
        config: { logSampled: true },
        bodyLimit: BODY_LIMIT_BYTES,
        validatorCompiler,
        schema: {
          operationId: 'introspectKey',
          tags: ['Verification'],
          summary: 'Introspect a key',
          description: DESCRIPTION,
          security: [{ managementKey: [] }, { managementKeyAsPassword: [] }],
          consumes: [FORM_TYPE],
          body: IntrospectRequest,
          response: answers(
            { 200: ref(Introspection) },
            'UNAUTHENTICATED',
            'FORBIDDEN',
            'NOT_FOUND',
            'TOO_MANY_REQUESTS',
          ),
        },
      },
      async (request) => {
        const { token: key, token_type_hint: _, ...question } = request.body;
        return introspectionOf(
          await verifier.verify({ key, ...question }, presentedCaller(request)),
        );
      },
    );
  });
}

/** A form is text: its integers are read as those of a query. Without a body nothing is given. */
function validatorCompiler({ schema }: { schema: object }) {
  const validate = textValidator(schema);
  return (value: Record<string, unknown> | undefined) => validate(value ?? {});
}

function takeBasic({ headers }: FastifyRequest, _reply: unknown, done: () => void): void {
  const authorization = asBearer(headers.authorization);
  if (authorization === undefined) delete headers.authorization;
  else headers.authorization = authorization;
  done();
}

/** RFC 6749: the challenge names the scheme that the client has used. */
async function challengeForBoth(_request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (reply.statusCode !== 401) return;
  reply.header('www-authenticate', 'Bearer realm="keyward", Basic realm="keyward"');
}
