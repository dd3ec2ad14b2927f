import type { App } from '../../http/app-type.ts';
import { getCallContext } from '../../http/auth-hooks.ts';
import { sendChanged, sendResult } from '../../http/reply.ts';
import { answers, ref, unshown } from '../../http/schemas.ts';
import { WebhookPath } from '../schemas.ts';
import { Delivery, DeliveryPage, ListDeliveries, Redeliver, Redelivery } from './schemas.ts';
import type { DeliveriesService } from './service.ts';

const SHOWN = 'webhooks:read';
const config = { permission: 'webhooks:write' } as const;
const tags = ['Webhooks'];
const params = WebhookPath;

export function deliveryRoutes(app: App, deliveries: DeliveriesService): void {
  app.addSchema(Delivery);
  app.addSchema(DeliveryPage);
  app.addSchema(Redelivery);

  app.get(
    '/v1/webhooks/:id/deliveries',
    {
      config: { permission: SHOWN },
      schema: {
        operationId: 'listDeliveries',
        tags,
        summary: 'List the deliveries of a webhook',
        description:
          'With every attempt. Finished ones are kept for `KEYWARD_DELIVERIES_KEPT_DAYS`.',
        params,
        querystring: ListDeliveries,
        response: answers({ 200: ref(DeliveryPage) }, 'NOT_FOUND', 'QUERY_TOO_BROAD'),
      },
    },
    (request) => deliveries.list(getCallContext(request), request.params.id, request.query),
  );

  app.post(
    '/v1/webhooks/:id/ping',
    {
      config,
      schema: {
        operationId: 'pingWebhook',
        tags,
        summary: 'Send a test event to a webhook',
        description:
          'Queues an event of the type `webhook.ping`, whatever types the webhook takes. One that ' +
          'waits already is sent now instead.',
        params,
        response: answers(
          { 202: ref(Delivery), 204: unshown(SHOWN) },
          'NOT_FOUND',
          'WEBHOOK_DISABLED',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const call = getCallContext(request);
      reply.status(202);
      return sendChanged(reply, call, SHOWN, await deliveries.ping(call, request.params.id));
    },
  );

  app.post(
    '/v1/webhooks/:id/redeliver',
    {
      config,
      schema: {
        operationId: 'redeliverEvents',
        tags,
        summary: 'Send events to a webhook again',
        description:
          'One event by its delivery, or all that the webhook takes of a range of time, at most 10,000: ' +
          'also those that it was not sent while it was disabled. They come behind what waits. A range ' +
          'requires `audit:read` as well.',
        params,
        body: Redeliver,
        response: answers(
          { 202: ref(Redelivery) },
          'NOT_FOUND',
          'WEBHOOK_DISABLED',
          'TOO_MANY_EVENTS',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      reply.status(202);
      return sendResult(
        reply,
        await deliveries.redeliver(getCallContext(request), id, request.body ?? {}),
      );
    },
  );
}
