import { Type } from 'typebox';
import type { App } from '../http/app-type.ts';
import { callOf } from '../http/call.ts';
import { answers, KeyPath, ref } from '../http/schemas.ts';
import {
  CreateKey,
  IssuedKey,
  Key,
  KeyPage,
  ListKeys,
  PatchKey,
  RevokeKey,
} from './keys.schemas.ts';
import type { KeyService } from './keys.service.ts';

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
        response: answers({ 201: ref(IssuedKey) }, 404, 413, 415),
      },
    },
    async (request, reply) => {
      const { body, etag } = await keys.create(callOf(request), request.body);
      reply.status(201).headers({ location: `/v1/keys/${body.id}`, etag });
      reply.header('cache-control', 'no-store');
      return body;
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
        response: answers({ 200: ref(KeyPage) }),
      },
    },
    (request) => keys.list(callOf(request), request.query),
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
        response: answers({ 200: ref(Key) }, 404),
      },
    },
    async (request, reply) => {
      const { body, etag } = await keys.get(callOf(request), request.params.id);
      reply.header('etag', etag);
      return body;
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
        body: PatchKey,
        response: answers({ 200: ref(Key) }, 404, 409, 413, 415),
      },
    },
    async (request, reply) => {
      const { body, etag } = await keys.patch(callOf(request), request.params.id, request.body);
      reply.header('etag', etag);
      return body;
    },
  );

  app.post(
    '/v1/keys/:id/revoke',
    {
      config: { permission: 'keys:revoke' },
      schema: {
        operationId: 'revokeKey',
        tags,
        summary: 'Revoke a key',
        description:
          'For good, and everywhere once answered: no verification that starts later, on any ' +
          'instance, finds the key valid. Calling it again changes nothing.',
        params: KeyPath,
        body: RevokeKey,
        response: answers({ 200: ref(Key) }, 404, 413, 415),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { body, etag } = await keys.revoke(callOf(request), id, request.body ?? {});
      reply.header('etag', etag);
      return body;
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
        response: answers(
          { 204: Type.Null({ description: 'The key is revoked and gone from the lists.' }) },
          404,
        ),
      },
    },
    async (request, reply) => {
      await keys.delete(callOf(request), request.params.id);
      return reply.status(204).send(null);
    },
  );
}
