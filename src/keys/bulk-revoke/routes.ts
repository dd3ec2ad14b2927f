import type { App } from '../../http/app-type.ts';
import { getCallContext } from '../../http/auth-hooks.ts';
import { sendResult } from '../../http/reply.ts';
import { answers, ref } from '../../http/schemas.ts';
import { envelopeCompiler } from '../../http/validation/list-items.ts';
import { parserOf } from '../../http/validation/parsers.ts';
import { mapInTurns } from '../../lib/turns.ts';
import { BulkRevocation, BulkRevoke, KeyId } from './schemas.ts';
import type { BulkRevokeService } from './service.ts';

export function bulkRevokeRoutes(app: App, bulkRevoke: BulkRevokeService): void {
  app.addSchema(BulkRevocation);
  const parseId = parserOf(KeyId);
  app.post<{ Body: Omit<BulkRevoke, 'ids'> & { ids?: unknown[] } }>(
    '/v1/keys/bulk-revoke',
    {
      config: { permission: 'keys:revoke', list: 'ids', urgent: true },
      validatorCompiler: envelopeCompiler(BulkRevoke, 'ids'),
      schema: {
        operationId: 'bulkRevokeKeys',
        tags: ['Keys'],
        summary: 'Revoke many keys',
        description:
          'Revokes keys by id or by owner, at most 10,000 at once, in steps of 500 keys. After an error the ' +
          'keys of the steps before it are revoked, and a repetition of the call revokes the rest. ' +
          'A dry run requires `keys:read` as well.',
        body: BulkRevoke,
        response: answers({ 200: ref(BulkRevocation) }, 'NOT_FOUND', 'TOO_MANY_KEYS'),
      },
    },
    async (request, reply) => {
      const { ids, ...input } = request.body ?? {};
      const parsed = { ...input, ...(ids && { ids: await mapInTurns(ids, parseId) }) };
      const call = getCallContext(request);
      const report = sendResult(reply, await bulkRevoke.revoke(call, parsed));
      const isShown = ids !== undefined || call.caller.permissions.has('keys:read');
      return isShown ? report : { ...report, keyIds: [] };
    },
  );
}
