import type { App } from '../http/app-type.ts';
import { getCallContext } from '../http/auth-hooks.ts';
import { sendChanged, sendResult } from '../http/reply.ts';
import { answers, ref, unshown } from '../http/schemas.ts';
import {
  CreateManagementKey,
  IssuedManagementKey,
  ListManagementKeys,
  ManagementKey,
  ManagementKeyPage,
  ManagementKeyPath,
  PatchManagementKey,
  RevokedManagementKey,
  RevokeManagementKey,
  RotateManagementKey,
} from './schemas.ts';
import type { ManagementService } from './service.ts';

const read = { permission: 'management:read' } as const;
const config = { permission: 'management:write' } as const;
const urgent = { ...config, urgent: true } as const;
const tags = ['Management keys'];
const params = ManagementKeyPath;

export function managementRoutes(app: App, managementKeys: ManagementService): void {
  app.addSchema(ManagementKey);
  app.addSchema(IssuedManagementKey);
  app.addSchema(RevokedManagementKey);
  app.addSchema(ManagementKeyPage);

  app.post(
    '/v1/management-keys',
    {
      config,
      schema: {
        operationId: 'createManagementKey',
        tags,
        summary: 'Create a management key',
        description: 'The answer holds the key string, for the only time.',
        body: CreateManagementKey,
        response: answers({ 201: ref(IssuedManagementKey) }, 'NOT_FOUND', 'AUDIT_LIMIT_REACHED'),
      },
    },
    async (request, reply) => {
      const created = await managementKeys.create(getCallContext(request), request.body);
      reply.status(201).header('location', `/v1/management-keys/${created.body.id}`);
      return sendResult(reply, created);
    },
  );

  app.get(
    '/v1/management-keys',
    {
      config: read,
      schema: {
        operationId: 'listManagementKeys',
        tags,
        summary: 'List management keys',
        querystring: ListManagementKeys,
        response: answers({ 200: ref(ManagementKeyPage) }, 'NOT_FOUND'),
      },
    },
    (request) => managementKeys.list(getCallContext(request), request.query),
  );

  app.get(
    '/v1/management-keys/:id',
    {
      config: read,
      schema: {
        operationId: 'getManagementKey',
        tags,
        summary: 'Get a management key',
        params,
        response: answers({ 200: ref(ManagementKey) }, 'NOT_FOUND'),
      },
    },
    async (request, reply) =>
      sendResult(reply, await managementKeys.get(getCallContext(request), request.params.id)),
  );

  app.patch(
    '/v1/management-keys/:id',
    {
      config,
      schema: {
        operationId: 'updateManagementKey',
        tags,
        summary: 'Change a management key',
        description:
          'Its name, its expiry, its maximum of calls, or fewer permissions; an expired key can be extended. The management ' +
          'keys that it made lose what it loses. In force everywhere once answered. More ' +
          'permissions need another key.',
        params,
        body: PatchManagementKey,
        response: answers(
          { 200: ref(ManagementKey), 204: unshown('management:read') },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
          'KEY_REVOKED',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const call = getCallContext(request);
      const patched = await managementKeys.patch(call, id, request.body ?? {});
      return sendChanged(reply, call, 'management:read', patched);
    },
  );

  app.post(
    '/v1/management-keys/:id/rotate',
    {
      config: urgent,
      schema: {
        operationId: 'rotateManagementKey',
        tags,
        summary: 'Rotate a management key',
        description:
          'Gives the key a new string; the old one stays valid until the grace ends. The ' +
          'caller is handed the key: it has all permissions of the key, expires no earlier, and the key ' +
          'ends with the caller.',
        params,
        body: RotateManagementKey,
        response: answers(
          { 200: ref(IssuedManagementKey) },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
          'KEY_REVOKED',
          'KEY_EXPIRED',
          'ROTATION_UNDER_WAY',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      return sendResult(
        reply,
        await managementKeys.rotate(getCallContext(request), id, request.body),
      );
    },
  );

  app.post(
    '/v1/management-keys/:id/revoke',
    {
      config: urgent,
      schema: {
        operationId: 'revokeManagementKey',
        tags,
        summary: 'Revoke a management key',
        description:
          'For good, and everywhere once answered, with the management keys that it made unless ' +
          '`includeCreated` is false. The webhooks that they made are disabled. Idempotent.',
        params,
        body: RevokeManagementKey,
        response: answers(
          { 200: ref(RevokedManagementKey), 204: unshown('management:read') },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
        ),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const call = getCallContext(request);
      const revoked = await managementKeys.revoke(call, id, request.body ?? {});
      return sendChanged(reply, call, 'management:read', revoked);
    },
  );
}
