import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import Negotiator from 'negotiator';
import { Type } from 'typebox';
import type { App } from '../../http/app-type.ts';
import { getCallContext } from '../../http/auth-hooks.ts';
import { answers, ref } from '../../http/schemas.ts';
import { ReadUsage, UsageReport } from './schemas.ts';
import type { UsageQueryService } from './service.ts';

/** With their parameters, which an `Accept` may name or leave out. */
const JSON_TYPE = 'application/json; charset=utf-8';
const CSV_TYPE = 'text/csv; charset=utf-8';

const Csv = Type.Unsafe<Readable>(
  Type.String({
    description:
      'One line for each group, or for each of its buckets, with the names of the fields first. What a ' +
      'spreadsheet would take for a formula begins with an apostrophe.',
    examples: [
      'start,workspaceId,ownerId,keyId,name,secretId,secretStart,code,kind,verifications,units',
    ],
  }),
);

export function usageQueryRoutes(app: App, usage: UsageQueryService): void {
  app.addSchema(UsageReport);
  app.get(
    '/v1/usage',
    {
      config: { permission: 'usage:read' },
      schema: {
        operationId: 'getUsage',
        tags: ['Usage'],
        summary: 'Query usage',
        description:
          'Exact counts of verifications by workspace, owner, key, secret, verdict and time: which use ' +
          'most, and when. With `Accept: text/csv` the same as CSV.',
        querystring: ReadUsage,
        response: answers(
          {
            200: {
              description: 'Usage by group.',
              content: {
                'application/json': { schema: ref(UsageReport) },
                'text/csv': { schema: Csv },
              },
            },
          },
          'NOT_FOUND',
          'QUERY_TOO_BROAD',
        ),
      },
    },
    async (request, reply) => {
      const call = getCallContext(request);
      if (!prefersCsv(request)) return usage.read(call, request.query);
      reply.type(CSV_TYPE);
      // Not the reply: the call's place would be held until its client has read everything.
      return Readable.from(await usage.readCsv(call, request.query));
    },
  );
}

/** By `Accept`; JSON also where neither is acceptable. */
function prefersCsv(request: FastifyRequest): boolean {
  return new Negotiator(request).mediaType([JSON_TYPE, CSV_TYPE]) === CSV_TYPE;
}
