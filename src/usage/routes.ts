import type { App } from '../http/app-type.ts';
import { getCallContext } from '../http/auth-hooks.ts';
import { answers, KeyPath, ref } from '../http/schemas.ts';
import { KeyUsage, UsageQuery } from './schemas.ts';
import type { UsageService } from './service.ts';

export function usageRoutes(app: App, usage: UsageService): void {
  app.addSchema(KeyUsage);
  app.get(
    '/v1/keys/:id/usage',
    {
      config: { permission: 'usage:read' },
      schema: {
        operationId: 'getKeyUsage',
        tags: ['Usage'],
        summary: 'Get the usage of a key',
        description:
          'Exact counts of verifications by verdict, hour, day or month, in UTC; also of revoked and ' +
          'deleted keys. `GET /v1/usage` answers more.',
        params: KeyPath,
        querystring: UsageQuery,
        response: answers({ 200: ref(KeyUsage) }, 'NOT_FOUND'),
      },
    },
    (request) => usage.ofKey(getCallContext(request), request.params.id, request.query),
  );
}
