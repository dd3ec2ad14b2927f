import type { App } from '../../http/app-type.ts';
import { getCallContext } from '../../http/auth-hooks.ts';
import { sendResult } from '../../http/reply.ts';
import { answers, ref } from '../../http/schemas.ts';
import { BulkRevocation, BulkRevoke } from './schemas.ts';
import type { BulkRevokeService } from './service.ts';

export function bulkRevokeRoutes(app: App, bulkRevoke: BulkRevokeService): void {
  app.addSchema(BulkRevocation);
  app.post(
    '/v1/keys/bulk-revoke',
    {
      config: { permission: 'keys:revoke' },
      schema: {
        operationId: 'bulkRevokeKeys',
        tags: ['Keys'],
        summary: 'Revoke many keys',
        description: 'Revokes keys by id or by owner, all or nothing, at most 10,000 at once.',
        body: BulkRevoke,
        response: answers({ 200: ref(BulkRevocation) }, 'NOT_FOUND', 'TOO_MANY_KEYS'),
      },
    },
    async (request, reply) =>
      sendResult(reply, await bulkRevoke.revoke(getCallContext(request), request.body ?? {})),
  );
}
