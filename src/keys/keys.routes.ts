import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import type { Changes } from '../changes/changes.ts';
import type { App } from '../http/app-type.ts';
import { callOf } from '../http/call.ts';
import { answers, KeyPath, ref, WorkspaceQuery } from '../http/schemas.ts';
import { bulkRevoke } from './bulk-revocation.ts';
import { importKeys } from './keys.import.ts';
import {
  BulkRevocation,
  BulkRevoke,
  ChangeCredits,
  CreateKey,
  ExplainKey,
  Explanation,
  ImportKeys,
  ImportReport,
  IssuedKey,
  Key,
  KeyPage,
  ListKeys,
  PatchKey,
  RevokeKey,
  RotateKey,
} from './keys.schemas.ts';
import type { KeyService, Versioned } from './keys.service.ts';

const tags = ['Keys'];
const IMPORT_BODY_LIMIT_BYTES = 4_194_304;

export function keyRoutes(app: App, keys: KeyService, changes: Changes): void {
  app.addSchema(Key);
  app.addSchema(IssuedKey);
  app.addSchema(KeyPage);
  app.addSchema(BulkRevocation);
  app.addSchema(Explanation);
  app.addSchema(ImportReport);

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
        response: answers({ 200: ref(KeyPage) }, 404),
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
        querystring: WorkspaceQuery,
        response: answers({ 200: ref(Key) }, 404),
      },
    },
    async (request, reply) => {
      const name = { ...request.params, ...request.query };
      return send(reply, await keys.get(callOf(request), name));
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
      return send(reply, await keys.patch(callOf(request), name, request.body));
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
        response: answers({ 200: ref(Key) }, 404, 409, 412, 413, 415, 422),
      },
    },
    async (request, reply) => {
      const input = request.body ?? {};
      const name = { ...request.params, workspaceId: input.workspaceId };
      return send(reply, await keys.revoke(callOf(request), name, input));
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
      await keys.delete(callOf(request), { ...request.params, ...request.query });
      return reply.status(204).send(null);
    },
  );

  app.post(
    '/v1/keys/:id/rotate',
    {
      config: { permission: 'keys:write' },
      schema: {
        operationId: 'rotateKey',
        tags,
        summary: 'Rotate a key',
        description:
          'The same key with a new string, shown here for the only time. The old string is valid ' +
          'until the grace ends, and verify says so of it. An expired or revoked key is not revived.',
        params: KeyPath,
        body: RotateKey,
        response: answers({ 200: ref(IssuedKey) }, 404, 409, 412, 413, 415, 422),
      },
    },
    async (request, reply) => {
      const name = { ...request.params, workspaceId: request.body.workspaceId };
      reply.header('cache-control', 'no-store');
      return send(reply, await keys.rotate(callOf(request), name, request.body));
    },
  );

  app.delete(
    '/v1/keys/:id/retiring-secret',
    {
      config: { permission: 'keys:write' },
      schema: {
        operationId: 'endGrace',
        tags,
        summary: 'End the grace of a rotation',
        description: 'The replaced string ends now. Nothing to end is fine too.',
        params: KeyPath,
        querystring: WorkspaceQuery,
        response: answers(
          { 204: Type.Null({ description: 'No string but the current one is valid.' }) },
          404,
          412,
        ),
      },
    },
    async (request, reply) => {
      await keys.endGrace(callOf(request), { ...request.params, ...request.query });
      return reply.status(204).send(null);
    },
  );

  app.post(
    '/v1/keys/:id/credits',
    {
      config: { permission: 'keys:write' },
      schema: {
        operationId: 'changeCredits',
        tags,
        summary: "Change a key's credits",
        description: 'Adds to, subtracts from or sets the balance. In force once answered.',
        params: KeyPath,
        body: ChangeCredits,
        response: answers({ 200: ref(Key) }, 404, 409, 412, 413, 415, 422),
      },
    },
    async (request, reply) => {
      const name = { ...request.params, workspaceId: request.body.workspaceId };
      return send(reply, await keys.credits(callOf(request), name, request.body));
    },
  );

  app.post(
    '/v1/keys/:id/explain',
    {
      config: { permission: 'keys:read' },
      schema: {
        operationId: 'explainKey',
        tags,
        summary: 'Explain a verdict',
        description:
          'What verify would say of this key now, check by check; by id, without the key string. ' +
          'Nothing is consumed or counted.',
        params: KeyPath,
        body: ExplainKey,
        response: answers({ 200: ref(Explanation) }, 404, 413, 415),
      },
    },
    (request) => {
      const question = request.body ?? {};
      const name = { ...request.params, workspaceId: question.workspaceId };
      return keys.explain(callOf(request), name, question);
    },
  );

  app.post(
    '/v1/keys/import',
    {
      bodyLimit: IMPORT_BODY_LIMIT_BYTES,
      config: { permission: 'keys:write' },
      schema: {
        operationId: 'importKeys',
        tags,
        summary: 'Import keys of another system',
        description:
          'By the SHA-256 or SHA-512 digest of the whole key string, up to 1000 at once. Holders go ' +
          'on presenting what they have; its first use moves a key to argon2id.',
        body: ImportKeys,
        response: answers({ 200: ref(ImportReport) }, 404, 409, 413, 415, 422),
      },
    },
    (request) => importKeys(changes, callOf(request), request.body),
  );

  app.post(
    '/v1/keys/bulk-revoke',
    {
      config: { permission: 'keys:revoke' },
      schema: {
        operationId: 'bulkRevokeKeys',
        tags,
        summary: 'Revoke many keys',
        description: 'By id or by owner, all or nothing, at most 10,000 at once.',
        body: BulkRevoke,
        response: answers({ 200: ref(BulkRevocation) }, 404, 409, 413, 415, 422),
      },
    },
    (request) => bulkRevoke(changes, callOf(request), request.body ?? {}),
  );
}

function send<T>(reply: FastifyReply, { body, etag }: Versioned<T>): T {
  reply.header('etag', etag);
  return body;
}
