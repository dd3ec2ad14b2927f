import type { App } from '../../http/app-type.ts';
import { getCallContext } from '../../http/auth-hooks.ts';
import { sendChanged } from '../../http/reply.ts';
import { answers, KeyPath, ref, unshown } from '../../http/schemas.ts';
import { Key } from '../schemas/key.ts';
import { ChangeCredits } from './schemas.ts';
import type { CreditsService } from './service.ts';

export function creditsRoutes(app: App, credits: CreditsService): void {
  app.post(
    '/v1/keys/:id/credits',
    {
      config: { permission: 'keys:write' },
      schema: {
        operationId: 'changeCredits',
        tags: ['Keys'],
        summary: "Change a key's credits",
        description:
          'Adds to, subtracts from or sets the balance. In force everywhere once answered.',
        params: KeyPath,
        body: ChangeCredits,
        response: answers(
          { 200: ref(Key), 204: unshown('keys:read') },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
          'KEY_REVOKED',
          'CREDITS_UNLIMITED',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const name = { ...request.params, workspaceId: request.body.workspaceId };
      const call = getCallContext(request);
      const changed = await credits.change(call, name, request.body);
      return sendChanged(reply, call, 'keys:read', changed);
    },
  );
}
