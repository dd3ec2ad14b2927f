import type { App } from '../http/app-type.ts';
import { getCallContext } from '../http/auth-hooks.ts';
import { sendChanged } from '../http/reply.ts';
import { answers, ref, unshown } from '../http/schemas.ts';
import { AcknowledgeAlert, Alert, AlertPage, AlertPath, ListAlerts } from './schemas.ts';
import type { AlertService } from './service.ts';

const READ = 'alerts:read';
const read = { config: { permission: READ } } as const;
const write = { config: { permission: 'alerts:write' } } as const;
const tags = ['Alerts'];
const params = AlertPath;

export function alertRoutes(app: App, alerts: AlertService): void {
  app.addSchema(Alert);
  app.addSchema(AlertPage);

  app.get(
    '/v1/alerts',
    {
      ...read,
      schema: {
        operationId: 'listAlerts',
        tags,
        summary: 'List alerts',
        description:
          'What someone should know, newest first: keys that expire, are not used or run out of ' +
          'credits, ended strings that are still presented, and more. An alert opens once for its ' +
          'cause, and ends by itself. A caller that is bound to a workspace sees those of its own ' +
          'things alone.',
        querystring: ListAlerts,
        response: answers({ 200: ref(AlertPage) }, 'NOT_FOUND', 'QUERY_TOO_BROAD'),
      },
    },
    (request) => alerts.list(getCallContext(request), request.query),
  );

  app.get(
    '/v1/alerts/:id',
    {
      ...read,
      schema: {
        operationId: 'getAlert',
        tags,
        summary: 'Get an alert',
        params,
        response: answers({ 200: ref(Alert) }, 'NOT_FOUND'),
      },
    },
    (request) => alerts.get(getCallContext(request), request.params.id),
  );

  app.post(
    '/v1/alerts/:id/acknowledge',
    {
      ...write,
      schema: {
        operationId: 'acknowledgeAlert',
        tags,
        summary: 'Acknowledge an alert',
        description:
          'Says that someone has seen it: the first acknowledgement stays, another one changes ' +
          'nothing. The alert ends when what it is about is over; that of a leaked key ends with ' +
          'the acknowledgement.',
        params,
        body: AcknowledgeAlert,
        response: answers({ 200: ref(Alert), 204: unshown(READ) }, 'NOT_FOUND'),
      },
    },
    async (request, reply) => {
      const call = getCallContext(request);
      const acknowledged = await alerts.acknowledge(call, request.params.id, request.body ?? {});
      return sendChanged(reply, call, READ, acknowledged);
    },
  );
}
