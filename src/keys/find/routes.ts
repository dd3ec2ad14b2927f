import type { App } from '../../http/app-type.ts';
import { getCallContext } from '../../http/auth-hooks.ts';
import { SMALL_BODY_BYTES } from '../../http/body-limits.ts';
import { refuseScheme } from '../../http/key-scheme.ts';
import { answers, ref } from '../../http/schemas.ts';
import { FindKey, FoundKey } from './schemas.ts';
import type { FindService } from './service.ts';

export function findRoutes(app: App, finding: FindService): void {
  app.addSchema(FoundKey);
  app.post(
    '/v1/keys/find',
    {
      config: { permission: 'keys:read', takesKey: true },
      bodyLimit: SMALL_BODY_BYTES,
      schema: {
        operationId: 'findKey',
        tags: ['Keys'],
        summary: 'Find the key of a string',
        description:
          "For support and leaks: which customer's key a string belongs or belonged to, and what " +
          'became of it, long after it ended. The whole string must be right. Nothing is counted. ' +
          'A management key that is bound to a workspace finds the keys of that workspace alone; ' +
          'others find those of every workspace, and of an imported string that several have, the one ' +
          'that was imported first, unless `workspaceId` names another.',
        body: FindKey,
        response: answers({ 200: ref(FoundKey) }, 'KEY_WITH_SCHEME', 'NOT_FOUND'),
      },
    },
    (request) => {
      refuseScheme(request.body.key, '/body/key');
      return finding.find(getCallContext(request), request.body);
    },
  );
}
