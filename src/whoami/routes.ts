import { Type } from 'typebox';
import { ROOT_CALLER } from '../domain/caller.ts';
import type { App } from '../http/app-type.ts';
import { answers, ref } from '../http/schemas.ts';
import { WhoAmI } from './schemas.ts';
import type { PresentedCredential, WhoamiService } from './service.ts';

const tags = ['Verification'];
const security = [{ presentedKey: [] }];

export function whoamiRoutes(app: App, holder: WhoamiService): void {
  app.addSchema(WhoAmI);

  app.get(
    '/v1/whoami',
    {
      schema: {
        operationId: 'whoAmI',
        tags,
        security,
        summary: 'Say what the presented key is',
        description:
          "For a key's holder: what the key presented as `Authorization: Bearer`, a customer's or " +
          'a management key, is and may do. Not counted as a use. Whatever is not valid gets the same 401.',
        response: answers({ 200: ref(WhoAmI) }),
      },
    },
    async ({ headers }, reply) => {
      reply.header('cache-control', 'no-store');
      return describe(await holder.identify(headers.authorization));
    },
  );

  app.post(
    '/v1/whoami/revoke',
    {
      schema: {
        operationId: 'giveUpKey',
        tags,
        security,
        summary: 'Give the presented key up',
        description:
          'Revokes the key presented as `Authorization: Bearer`, a customer’s or a management key, ' +
          'for good and at once: all of it, also where the presented string is a retiring one. ' +
          'A second call is a 401.',
        response: answers({ 204: Type.Null({ description: 'It is revoked.' }) }, 413, 415),
      },
    },
    async ({ headers: { authorization }, id, ip }, reply) => {
      await holder.revokeOwnKey({ authorization, requestId: id, ip });
      return reply.status(204).send(null);
    },
  );
}

function describe(held: PresentedCredential): WhoAmI {
  if (held === 'root') return ROOT;
  const { credential, start } = held;
  const { keyId: id, name, workspaceId, expiresAt, validUntil } = credential;
  const rotation = { retiring: validUntil !== null, validUntil: iso(validUntil) };
  const common = { id, start, name, workspaceId, expiresAt: iso(expiresAt), rotation };
  if (credential.kind === 'management') {
    const permissions = [...credential.caller.permissions];
    return { ...NOTHING, ...common, type: 'management_key', permissions };
  }
  const { ownerId, scopes, resources } = credential;
  return {
    ...NOTHING,
    ...common,
    type: 'key',
    ownerId,
    scopes: [...scopes],
    resources: resources && [...resources],
  };
}

const NOTHING = {
  start: null,
  name: null,
  workspaceId: null,
  ownerId: null,
  scopes: null,
  resources: null,
  permissions: null,
  expiresAt: null,
  rotation: { retiring: false, validUntil: null },
};

const ROOT: WhoAmI = {
  ...NOTHING,
  type: 'root',
  id: ROOT_CALLER.id,
  permissions: [...ROOT_CALLER.permissions],
};

function iso(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
