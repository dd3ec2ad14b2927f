import { Type } from 'typebox';
import type { App } from '../http/app-type.ts';
import { getCallContext } from '../http/auth-hooks.ts';
import { sendDone } from '../http/reply.ts';
import { answers, WorkspaceQuery } from '../http/schemas.ts';
import { OwnerId } from '../keys/schemas/fields.ts';
import type { OwnerService } from './service.ts';

const OwnerPath = Type.Object({ ownerId: OwnerId });

export function ownerRoutes(app: App, owners: OwnerService): void {
  app.delete(
    '/v1/owners/:ownerId/personal-data',
    {
      config: { permission: 'keys:write' },
      schema: {
        operationId: 'erasePersonalData',
        tags: ['Keys'],
        summary: 'Erase personal data of an owner',
        description:
          "Erases from where the owner's keys were last used, deleted keys included, for good: what " +
          'was counted before and is still to be written does not bring it back. Later uses are kept again. ' +
          'An owner without keys has nothing to erase. The owner ids `.` and `..`, which older versions ' +
          'accepted, fit no path: give the keys another owner first. Idempotent.',
        params: OwnerPath,
        querystring: WorkspaceQuery,
        response: answers(
          { 204: Type.Null({ description: 'Nothing of it is kept.' }) },
          'NOT_FOUND',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const { params, query } = request;
      const call = getCallContext(request);
      const done = await owners.erasePersonalData(call, params.ownerId, query.workspaceId);
      return sendDone(reply, done);
    },
  );
}
