import type { App } from '../http/app-type.ts';
import { callOf } from '../http/call.ts';
import { answers, KeyPath, ref } from '../http/schemas.ts';
import { KeyUsage, UsageQuery } from './usage.schemas.ts';
import type { UsageService } from './usage.service.ts';

export function usageRoutes(app: App, usage: UsageService): void {
  app.addSchema(KeyUsage);
  app.get(
    '/v1/keys/:id/usage',
    {
      config: { permission: 'usage:read' },
      schema: {
        operationId: 'getKeyUsage',
        tags: ['Usage'],
        summary: 'Read how a key was used',
        description: 'Exact counts by verdict, hour or day, also of revoked and deleted keys.',
        params: KeyPath,
        querystring: UsageQuery,
        response: answers({ 200: ref(KeyUsage) }, 404),
      },
    },
    (request) => usage.ofKey(callOf(request), request.params.id, request.query),
  );
}
