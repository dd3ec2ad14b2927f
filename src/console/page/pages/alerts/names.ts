import { answerOf, api } from '../../api.ts';
import type { Permission } from '../../api-types.ts';
import { may } from '../../session.ts';
import { webhookName } from '../webhooks/status.ts';
import type { Alert } from './words.ts';

interface Named {
  permission: Permission;
  read: (id: string) => Promise<string>;
}

const at = (id: string) => ({ params: { path: { id } } });

/** What people call the things that alerts are about, besides workspaces. */
const NAMED: Record<string, Named> = {
  key: {
    permission: 'keys:read',
    read: async (id) => (await answerOf(api.GET('/v1/keys/{id}', at(id)))).name,
  },
  management_key: {
    permission: 'management:read',
    read: async (id) => (await answerOf(api.GET('/v1/management-keys/{id}', at(id)))).name,
  },
  webhook: {
    permission: 'webhooks:read',
    read: async (id) => webhookName(await answerOf(api.GET('/v1/webhooks/{id}', at(id)))),
  },
};

/** By id, of those that are still there and that the reader may see: one call for each of a page. */
export async function readNames(alerts: readonly Alert[]): Promise<ReadonlyMap<string, string>> {
  const targets = new Map(alerts.map(({ target }) => [target.id, target.type]));
  const names = await Promise.all([...targets].map(readName));
  return new Map(names.flat());
}

async function readName([id, type]: [string, string]): Promise<[string, string][]> {
  const named = NAMED[type];
  const name = named && may(named.permission) ? await named.read(id).catch(() => null) : null;
  return name === null ? [] : [[id, name]];
}
