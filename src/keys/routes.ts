import { Type } from 'typebox';
import type { App } from '../http/app-type.ts';
import { getCallContext } from '../http/auth-hooks.ts';
import { sendResult } from '../http/reply.ts';
import { answers, KeyPath, ref, WorkspaceQuery } from '../http/schemas.ts';
import { KeyPage, ListKeys } from './listing/schemas.ts';
import { IssuedKey, Key } from './schemas/key.ts';
import { CreateKey, PatchKey } from './schemas/requests.ts';
import type { KeyService } from './service.ts';

const tags = ['Keys'];

export function keyRoutes(app: App, keys: KeyService): void {
  app.addSchema(Key);
  app.addSchema(IssuedKey);
  app.addSchema(KeyPage);

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
        response: answers({ 201: ref(IssuedKey) }, 404, 409, 413, 415, 422),
      },
    },
    async (request, reply) => {
      const created = await keys.create(getCallContext(request), request.body);
      reply.status(201).header('location', `/v1/keys/${created.body.id}`);
      reply.header('cache-control', 'no-store');
      return sendResult(reply, created);
    },
  );

  app.get(
    '/v1/keys',
    {
      config: { permission: 'keys:read' },
      schema: {
        operationId: 'listKeys',
        tags,
        summary: 'List keys',
        description: 'Revoked and expired keys are listed too; deleted ones are not.',
        querystring: ListKeys,
        response: answers({ 200: ref(KeyPage) }, 404),
      },
    },
    (request) => keys.list(getCallContext(request), request.query),
  );

  app.get(
    '/v1/keys/:id',
    {
      config: { permission: 'keys:read' },
      schema: {
        operationId: 'getKey',
        tags,
        summary: 'Read a key',
        params: KeyPath,
        querystring: WorkspaceQuery,
        response: answers({ 200: ref(Key) }, 404),
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
          'A merge patch: what is left out stays, null clears, lists replace, metadata merges name ' +
          'by name. In force everywhere once answered. A revoked key cannot be changed.',
        params: KeyPath,
        querystring: WorkspaceQuery,
        body: PatchKey,
        response: answers({ 200: ref(Key) }, 404, 409, 412, 413, 415),
      },
    },
    async (request, reply) => {
      const name = { ...request.params, ...request.query };
      return sendResult(reply, await keys.patch(getCallContext(request), name, request.body));
    },
  );

  app.delete(
    '/v1/keys/:id',
    {
      config: { permission: 'keys:revoke' },
      schema: {
        operationId: 'deleteKey',
        tags,
        summary: 'Delete a key',
        description: 'Revokes it and takes it out of every list; its usage and audit entries stay.',
        params: KeyPath,
        querystring: WorkspaceQuery,
        response: answers(
          { 204: Type.Null({ description: 'The key is revoked and gone from the lists.' }) },
          404,
          412,
        ),
      },
    },
    async (request, reply) => {
      await keys.delete(getCallContext(request), { ...request.params, ...request.query });
      return reply.status(204).send(null);
    },
  );
}
