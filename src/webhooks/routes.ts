import { Type } from 'typebox';
import type { App } from '../http/app-type.ts';
import { getCallContext } from '../http/auth-hooks.ts';
import { sendChanged, sendDone, sendResult } from '../http/reply.ts';
import { answers, ref, unshown } from '../http/schemas.ts';
import {
  CreateWebhook,
  IssuedWebhook,
  ListWebhooks,
  PatchWebhook,
  RotateSigningSecret,
  Webhook,
  WebhookPage,
  WebhookPath,
} from './schemas.ts';
import type { WebhookService } from './service.ts';

const SHOWN = 'webhooks:read';
const read = { permission: SHOWN } as const;
const config = { permission: 'webhooks:write' } as const;
const urgent = { ...config, urgent: true } as const;
const tags = ['Webhooks'];
const params = WebhookPath;

export function webhookRoutes(app: App, webhooks: WebhookService): void {
  app.addSchema(Webhook);
  app.addSchema(IssuedWebhook);
  app.addSchema(WebhookPage);

  app.post(
    '/v1/webhooks',
    {
      config,
      schema: {
        operationId: 'createWebhook',
        tags,
        summary: 'Create a webhook',
        description:
          'Every event of the audit log is sent to its URL, at least once. The answer holds the signing ' +
          'secret, for the only time. Requires `audit:read` as well.',
        body: CreateWebhook,
        response: answers(
          { 201: ref(IssuedWebhook) },
          'NOT_FOUND',
          'WEBHOOK_LIMIT_REACHED',
          'WEBHOOKS_NEED_SECRET',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const created = await webhooks.create(getCallContext(request), request.body);
      reply.status(201).header('location', `/v1/webhooks/${created.body.id}`);
      return sendResult(reply, created);
    },
  );

  app.get(
    '/v1/webhooks',
    {
      config: read,
      schema: {
        operationId: 'listWebhooks',
        tags,
        summary: 'List webhooks',
        querystring: ListWebhooks,
        response: answers({ 200: ref(WebhookPage) }, 'NOT_FOUND'),
      },
    },
    (request) => webhooks.list(getCallContext(request), request.query),
  );

  app.get(
    '/v1/webhooks/:id',
    {
      config: read,
      schema: {
        operationId: 'getWebhook',
        tags,
        summary: 'Get a webhook',
        params,
        response: answers({ 200: ref(Webhook) }, 'NOT_FOUND'),
      },
    },
    async (request, reply) =>
      sendResult(reply, await webhooks.get(getCallContext(request), request.params.id)),
  );

  app.patch(
    '/v1/webhooks/:id',
    {
      config,
      schema: {
        operationId: 'updateWebhook',
        tags,
        summary: 'Change a webhook',
        description:
          'Another URL, more event types or enabling it require `audit:read` as well. What is queued ' +
          'already goes to the new URL.',
        params,
        body: PatchWebhook,
        response: answers(
          { 200: ref(Webhook), 204: unshown(SHOWN) },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const call = getCallContext(request);
      const patched = await webhooks.patch(call, request.params.id, request.body ?? {});
      return sendChanged(reply, call, SHOWN, patched);
    },
  );

  app.post(
    '/v1/webhooks/:id/rotate-secret',
    {
      config: urgent,
      schema: {
        operationId: 'rotateSigningSecret',
        tags,
        summary: 'Rotate the signing secret of a webhook',
        description:
          'Both secrets sign until the grace ends. The answer holds the new one, for the only time.',
        params,
        body: RotateSigningSecret,
        response: answers(
          { 200: ref(IssuedWebhook) },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
          'ROTATION_UNDER_WAY',
          'WEBHOOKS_NEED_SECRET',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const call = getCallContext(request);
      return sendResult(reply, await webhooks.rotateSecret(call, id, request.body));
    },
  );

  app.delete(
    '/v1/webhooks/:id',
    {
      config: urgent,
      schema: {
        operationId: 'deleteWebhook',
        tags,
        summary: 'Delete a webhook',
        description: 'Nothing is sent any more, queued events neither.',
        params,
        response: answers(
          { 204: Type.Null({ description: 'The webhook is deleted.' }) },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
        ),
      },
    },
    async (request, reply) =>
      sendDone(reply, await webhooks.delete(getCallContext(request), request.params.id)),
  );
}
