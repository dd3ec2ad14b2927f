import type { FastifyRequest } from 'fastify';
import { invalidField } from '../../errors.ts';
import type { App } from '../../http/app-type.ts';
import { getCallContext } from '../../http/auth-hooks.ts';
import { answers, ref } from '../../http/schemas.ts';
import { KeyPage, ListKeys } from './schemas.ts';
import type { ListingService } from './service.ts';

export function listingRoutes(app: App, listing: ListingService): void {
  app.addSchema(KeyPage);
  app.get(
    '/v1/keys',
    {
      config: { permission: 'keys:read' },
      preValidation: refuseSortByUsage,
      schema: {
        operationId: 'listKeys',
        tags: ['Keys'],
        summary: 'List keys',
        description: 'Revoked and expired keys are listed too; deleted ones are not.',
        querystring: ListKeys,
        response: answers({ 200: ref(KeyPage) }, 'NOT_FOUND', 'QUERY_TOO_BROAD'),
      },
    },
    (request) => listing.list(getCallContext(request), request.query),
  );
}

/** An index by usage would be written with every count of every key: usage has a call of its own. */
async function refuseSortByUsage({ query }: FastifyRequest): Promise<void> {
  if (Object(query).sort !== '-usage30d') return;
  throw invalidField(
    '/query/sort',
    'keys are not sorted by usage; use GET /v1/usage?groupBy=key&order=-metric, whose rows name the ' +
      'keys, and GET /v1/keys?neverUsed=true for those that were never used',
  );
}
