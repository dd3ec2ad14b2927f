import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { KeywardError } from '../errors.ts';
import type { App } from '../http/app-type.ts';
import { readBody } from '../http/body-reader.ts';
import { networkOf } from '../http/connections.ts';
import { answers } from '../http/schemas.ts';
import { readJson, refuseOtherEncodings, sizeOf } from '../http/validation/json-body.ts';
import { textValidator } from '../http/validation/validators.ts';
import { whenClosed } from '../http/when-closed.ts';
import { OverloadError } from '../lib/overload-error.ts';
import { isSigned, signatureIn } from './github-signature.ts';
import { BODY_BYTES, GITHUB_BODY_BYTES, type Leaks } from './leaks.ts';
import { type LeakReport, reportsOfAnyone, reportsOfGithub } from './report.ts';
import { ReportLeaks, ReportLeaksByGithub } from './schemas.ts';

const DESCRIPTION =
  'Reports strings that were found where they should not be. The answer is the same whatever is ' +
  'reported. What it is worth is looked at afterwards: a string of a key is ended, as its ' +
  'workspace says (`leakResponse`), and alerted of. Answers 404 unless `KEYWARD_LEAK_REPORTS` is on. ';

const accepted = () => ({ 202: Type.Null({ description: 'The report was received.' }) });

type Compiled = { httpPart?: string; schema: object };

/** What both calls are. What is no report is received like one. */
const common = {
  config: { place: 'none' as const, logSampled: true },
  validatorCompiler: ({ httpPart, schema }: Compiled) =>
    httpPart === 'body' ? () => true : textValidator(schema),
};
const described = { tags: ['Leaks'], security: [] };

/** Reports of leaked keys, which strangers send: each is bounded, and all of them together. */
export function leakRoutes(app: App, leaks: Leaks): void {
  /** Before the body is read. It takes a place until it is answered. */
  const enter = async (request: FastifyRequest, { raw }: FastifyReply) => {
    if (!leaks.isOn) throw new KeywardError('ROUTE_NOT_FOUND');
    const network = networkOf(request.ip);
    if (leaks.underWay.isFull(network)) throw new OverloadError('bodies', 'too many reports');
    whenClosed(raw, leaks.underWay.take(network, 1));
  };
  const receive = (reports: readonly LeakReport[], reply: FastifyReply) => {
    leaks.queue.add(reports);
    return reply.status(202).send();
  };
  app.register(async (scope) => {
    takeRawBodies(scope);
    scope.post<{ Body?: Buffer }>(
      '/v1/leaks',
      {
        ...common,
        onRequest: enter,
        bodyLimit: BODY_BYTES,
        schema: {
          ...described,
          operationId: 'reportLeaks',
          summary: 'Report leaked keys',
          description: `${DESCRIPTION}Takes no credential.`,
          body: ReportLeaks,
          response: answers(accepted(), 'ROUTE_NOT_FOUND'),
        },
      },
      async ({ body }, reply) => receive(reportsOfAnyone(jsonIn(body)), reply),
    );

    scope.post<{ Body?: Buffer }>(
      '/v1/leaks/github',
      {
        ...common,
        onRequest: [enter, requireKnownKey(leaks)],
        bodyLimit: GITHUB_BODY_BYTES,
        schema: {
          ...described,
          operationId: 'reportLeaksByGithub',
          summary: 'Report leaked keys, as GitHub does',
          description: `${DESCRIPTION}For the secret scanning of GitHub, which signs its reports.`,
          body: ReportLeaksByGithub,
          response: answers(accepted(), 'UNAUTHENTICATED', 'ROUTE_NOT_FOUND'),
        },
      },
      async (request, reply) => {
        await requireSigned(leaks, request);
        return receive(reportsOfGithub(jsonIn(request.body)), reply);
      },
    );
  });
}

/** As they arrive: what is signed is their bytes. */
function takeRawBodies(app: App): void {
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', (request, payload, done) => {
    refuseOtherEncodings(request);
    readBody(payload, sizeOf(request), done);
  });
}

function jsonIn(body: Buffer = Buffer.alloc(0)): unknown {
  return readJson(body);
}

/** A body is read only of who names a key that GitHub has. */
function requireKnownKey(leaks: Leaks) {
  return async ({ headers }: FastifyRequest): Promise<void> => {
    const signed = signatureIn(headers);
    if (!signed || !(await leaks.githubKeys.find(signed.keyId))) throw notOfGithub();
  };
}

async function requireSigned(
  { githubKeys }: Leaks,
  { headers, body }: FastifyRequest<{ Body?: Buffer }>,
): Promise<void> {
  const signed = signatureIn(headers);
  const key = signed && (await githubKeys.find(signed.keyId));
  if (!key || !isSigned(body ?? Buffer.alloc(0), signed.signature, key)) throw notOfGithub();
}

function notOfGithub(): KeywardError {
  return new KeywardError('UNAUTHENTICATED', 'The report is not signed by GitHub.');
}
