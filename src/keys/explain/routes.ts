import type { App } from '../../http/app-type.ts';
import { getCallContext } from '../../http/auth-hooks.ts';
import { answers, KeyPath, ref } from '../../http/schemas.ts';
import { ExplainKey, Explanation } from './schemas.ts';
import type { ExplainService } from './service.ts';

export function explainRoutes(app: App, explain: ExplainService): void {
  app.addSchema(Explanation);
  app.post(
    '/v1/keys/:id/explain',
    {
      config: { permission: 'keys:read' },
      schema: {
        operationId: 'explainKey',
        tags: ['Keys'],
        summary: 'Explain a verdict',
        description:
          'What verify would answer for this key now, check by check; by id, without the key ' +
          'string. Nothing is consumed or counted.',
        params: KeyPath,
        body: ExplainKey,
        response: answers({ 200: ref(Explanation) }, 'NOT_FOUND'),
      },
    },
    (request) => {
      const body = request.body ?? {};
      const name = { ...request.params, workspaceId: body.workspaceId };
      return explain.explain(getCallContext(request), name, body);
    },
  );
}
