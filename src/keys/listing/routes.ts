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
