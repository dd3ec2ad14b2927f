import type { App } from '../../http/app-type.ts';
import { getCallContext } from '../../http/auth-hooks.ts';
import { answers, ref } from '../../http/schemas.ts';
import { IdleKeyPage, IdleKeysQuery } from './schemas.ts';
import type { IdleKeysService } from './service.ts';

export function idleKeysRoutes(app: App, idleKeys: IdleKeysService): void {
  app.addSchema(IdleKeyPage);
  app.get(
    '/v1/reports/idle-keys',
    {
      config: { permission: 'keys:read' },
      schema: {
        operationId: 'listIdleKeys',
        tags: ['Keys'],
        summary: 'Try out an idle policy',
        description:
          'What the idle policy of a workspace does with its keys, and when, or would do if it were as ' +
          'the parameters say and came into force now. Changes nothing. A page may have fewer keys than ' +
          'asked for, of which those without steps are left out.',
        querystring: IdleKeysQuery,
        response: answers({ 200: ref(IdleKeyPage) }, 'NOT_FOUND', 'QUERY_TOO_BROAD'),
      },
    },
    (request) => idleKeys.list(getCallContext(request), request.query),
  );
}
