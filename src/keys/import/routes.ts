import type { App } from '../../http/app-type.ts';
import { getCallContext } from '../../http/auth-hooks.ts';
import { sendResult } from '../../http/reply.ts';
import { answers, ref } from '../../http/schemas.ts';
import { envelopeCompiler } from '../../http/validation/list-items.ts';
import { parserOf } from '../../http/validation/parsers.ts';
import { mapInTurns } from '../../lib/turns.ts';
import { IMPORT_LIMIT_BYTES, ImportItem, ImportKeys, ImportReport } from './schemas.ts';
import type { ImportService } from './service.ts';

export function importRoutes(app: App, imports: ImportService): void {
  app.addSchema(ImportReport);
  const parseItem = parserOf(ImportItem);
  app.post<{ Body: { workspaceId?: string; keys: unknown[] } }>(
    '/v1/keys/import',
    {
      bodyLimit: IMPORT_LIMIT_BYTES,
      validatorCompiler: envelopeCompiler(ImportKeys, 'keys'),
      config: { permission: 'keys:write', list: 'keys' },
      schema: {
        operationId: 'importKeys',
        tags: ['Keys'],
        summary: 'Import keys of another system',
        description:
          'Imports up to 1000 keys, in a body of at most 1 MiB, by the SHA-256 or SHA-512 digest of the whole key string. Holders ' +
          'go on presenting their strings; the first use of each moves it to argon2id. An item that is ' +
          'not valid keeps no other out.',
        body: ImportKeys,
        response: answers(
          { 200: ref(ImportReport) },
          'NOT_FOUND',
          'UPGRADE_REQUIRED',
          'KEY_LIMIT_REACHED',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const { workspaceId, keys } = request.body;
      const input = { workspaceId, keys: await mapInTurns(keys, parseItem) };
      return sendResult(reply, await imports.import(getCallContext(request), input));
    },
  );
}
