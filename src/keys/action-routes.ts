import { Type } from 'typebox';
import type { App } from '../http/app-type.ts';
import { getCallContext } from '../http/auth-hooks.ts';
import { sendResult } from '../http/reply.ts';
import { answers, KeyPath, ref, WorkspaceQuery } from '../http/schemas.ts';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.ts';
import { BulkRevocation, BulkRevoke } from './bulk-revoke/schemas.ts';
import { bulkRevoke } from './bulk-revoke/service.ts';
import { ExplainKey, Explanation } from './explain/schemas.ts';
import { ImportKeys, ImportReport } from './import/schemas.ts';
import { importKeys } from './import/service.ts';
import { IssuedKey, Key } from './schemas/key.ts';
import { ChangeCredits, RevokeKey, RotateKey } from './schemas/requests.ts';
import type { KeyService } from './service.ts';

const tags = ['Keys'];
const IMPORT_BODY_LIMIT_BYTES = 4_194_304;

/** What can be done with keys beyond reading and writing their fields. */
export function keyActionRoutes(app: App, keys: KeyService, changes: UnitOfWork): void {
  app.addSchema(BulkRevocation);
  app.addSchema(Explanation);
  app.addSchema(ImportReport);

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
      return sendResult(reply, await keys.revoke(getCallContext(request), name, input));
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
      return sendResult(reply, await keys.rotate(getCallContext(request), name, request.body));
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
      await keys.endGrace(getCallContext(request), { ...request.params, ...request.query });
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
      return sendResult(reply, await keys.credits(getCallContext(request), name, request.body));
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
      return keys.explain(getCallContext(request), name, question);
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
    async (request, reply) =>
      sendResult(reply, await importKeys(changes, getCallContext(request), request.body)),
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
    async (request, reply) =>
      sendResult(reply, await bulkRevoke(changes, getCallContext(request), request.body ?? {})),
  );
}
