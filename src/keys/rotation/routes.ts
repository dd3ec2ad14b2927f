import { Type } from 'typebox';
import type { App } from '../../http/app-type.ts';
import { getCallContext } from '../../http/auth-hooks.ts';
import { sendDone, sendResult } from '../../http/reply.ts';
import { answers, KeyPath, ref, WorkspaceQuery } from '../../http/schemas.ts';
import { IssuedKey } from '../schemas/key.ts';
import { RotateKey } from './schemas.ts';
import type { RotationService } from './service.ts';

const tags = ['Keys'];

export function rotationRoutes(app: App, rotation: RotationService): void {
  app.post(
    '/v1/keys/:id/rotate',
    {
      config: { permission: 'keys:write', urgent: true },
      schema: {
        operationId: 'rotateKey',
        tags,
        summary: 'Rotate a key',
        description:
          'Gives the key a new string, shown here for the only time. The old string stays valid ' +
          'until the grace ends, and verify says so of it. A revoked or expired key is refused.',
        params: KeyPath,
        body: RotateKey,
        response: answers(
          { 200: ref(IssuedKey) },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
          'UPGRADE_REQUIRED',
          'KEY_REVOKED',
          'KEY_EXPIRED',
          'ROTATION_UNDER_WAY',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const name = { ...request.params, workspaceId: request.body.workspaceId };
      const rotated = await rotation.rotate(getCallContext(request), name, request.body);
      return sendResult(reply, rotated);
    },
  );

  app.delete(
    '/v1/keys/:id/retiring-secret',
    {
      config: { permission: 'keys:write', urgent: true },
      schema: {
        operationId: 'endGrace',
        tags,
        summary: 'End the grace of a rotation',
        description: 'Ends the replaced string at once. Idempotent.',
        params: KeyPath,
        querystring: WorkspaceQuery,
        response: answers(
          { 204: Type.Null({ description: 'Only the current string is valid.' }) },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
        ),
      },
    },
    async (request, reply) => {
      const name = { ...request.params, ...request.query };
      return sendDone(reply, await rotation.endGrace(getCallContext(request), name));
    },
  );
}
