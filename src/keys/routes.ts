import { Type } from 'typebox';
import type { App } from '../http/app-type.ts';
import { getCallContext } from '../http/auth-hooks.ts';
import { sendChanged, sendDone, sendResult } from '../http/reply.ts';
import { answers, KeyPath, ref, unshown, WorkspaceQuery } from '../http/schemas.ts';
import { bulkRevokeRoutes } from './bulk-revoke/routes.ts';
import type { BulkRevokeService } from './bulk-revoke/service.ts';
import { creditsRoutes } from './credits/routes.ts';
import type { CreditsService } from './credits/service.ts';
import { explainRoutes } from './explain/routes.ts';
import type { ExplainService } from './explain/service.ts';
import { findRoutes } from './find/routes.ts';
import type { FindService } from './find/service.ts';
import { importRoutes } from './import/routes.ts';
import type { ImportService } from './import/service.ts';
import { listingRoutes } from './listing/routes.ts';
import type { ListingService } from './listing/service.ts';
import { rotationRoutes } from './rotation/routes.ts';
import type { RotationService } from './rotation/service.ts';
import { IssuedKey, Key } from './schemas/key.ts';
import { CreateKey, PatchKey, RevokeKey } from './schemas/requests.ts';
import type { KeyService } from './service.ts';

export interface KeyServices {
  keys: KeyService;
  listing: ListingService;
  rotation: RotationService;
  credits: CreditsService;
  explain: ExplainService;
  finding: FindService;
  imports: ImportService;
  bulkRevoke: BulkRevokeService;
}

/** All calls under /v1/keys but for usage. */
export function keyRoutes(app: App, services: KeyServices): void {
  app.addSchema(Key);
  app.addSchema(IssuedKey);
  lifecycleRoutes(app, services.keys);
  listingRoutes(app, services.listing);
  rotationRoutes(app, services.rotation);
  creditsRoutes(app, services.credits);
  explainRoutes(app, services.explain);
  findRoutes(app, services.finding);
  importRoutes(app, services.imports);
  bulkRevokeRoutes(app, services.bulkRevoke);
}

const tags = ['Keys'];

function lifecycleRoutes(app: App, keys: KeyService): void {
  app.post(
    '/v1/keys',
    {
      config: { permission: 'keys:write' },
      schema: {
        operationId: 'createKey',
        tags,
        summary: 'Create a key',
        description: 'The answer holds the key string, for the only time.',
        body: CreateKey,
        response: answers(
          { 201: ref(IssuedKey) },
          'NOT_FOUND',
          'UPGRADE_REQUIRED',
          'KEY_LIMIT_REACHED',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const created = await keys.create(getCallContext(request), request.body);
      reply.status(201).header('location', `/v1/keys/${created.body.id}`);
      return sendResult(reply, created);
    },
  );

  app.get(
    '/v1/keys/:id',
    {
      config: { permission: 'keys:read' },
      schema: {
        operationId: 'getKey',
        tags,
        summary: 'Get a key',
        params: KeyPath,
        querystring: WorkspaceQuery,
        response: answers({ 200: ref(Key) }, 'NOT_FOUND'),
      },
    },
    async (request, reply) => {
      const name = { ...request.params, ...request.query };
      return sendResult(reply, await keys.get(getCallContext(request), name));
    },
  );

  app.patch(
    '/v1/keys/:id',
    {
      config: { permission: 'keys:write' },
      schema: {
        operationId: 'updateKey',
        tags,
        summary: 'Change a key',
        description:
          'A merge patch: fields that are left out stay, null clears, lists replace, metadata merges ' +
          'name by name. In force everywhere once answered. A revoked key cannot be changed.',
        params: KeyPath,
        querystring: WorkspaceQuery,
        body: PatchKey,
        response: answers(
          { 200: ref(Key), 204: unshown('keys:read') },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
          'KEY_REVOKED',
          'KEY_IMMUTABLE',
          'KEY_LIMIT_REACHED',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const name = { ...request.params, ...request.query };
      const call = getCallContext(request);
      const patched = await keys.patch(call, name, request.body ?? {});
      return sendChanged(reply, call, 'keys:read', patched);
    },
  );

  app.delete(
    '/v1/keys/:id',
    {
      config: { permission: 'keys:revoke', urgent: true },
      schema: {
        operationId: 'deleteKey',
        tags,
        summary: 'Delete a key',
        description:
          'Revokes the key and removes it from every list; its usage and audit entries stay.',
        params: KeyPath,
        querystring: WorkspaceQuery,
        response: answers(
          { 204: Type.Null({ description: 'The key is revoked and in no list.' }) },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
        ),
      },
    },
    async (request, reply) => {
      const name = { ...request.params, ...request.query };
      return sendDone(reply, await keys.delete(getCallContext(request), name));
    },
  );

  app.post(
    '/v1/keys/:id/revoke',
    {
      config: { permission: 'keys:revoke', urgent: true },
      schema: {
        operationId: 'revokeKey',
        tags,
        summary: 'Revoke a key',
        description:
          'For good, and everywhere once answered: no verification that starts later, on any ' +
          'instance, finds the key valid. Idempotent.',
        params: KeyPath,
        body: RevokeKey,
        response: answers(
          { 200: ref(Key), 204: unshown('keys:read') },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
        ),
      },
    },
    async (request, reply) => {
      const body = request.body ?? {};
      const name = { ...request.params, workspaceId: body.workspaceId };
      const call = getCallContext(request);
      return sendChanged(reply, call, 'keys:read', await keys.revoke(call, name, body));
    },
  );
}
