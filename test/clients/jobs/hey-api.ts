import * as api from '../generated/hey-api';
import { createClient } from '../generated/hey-api/client';
import type { Connect } from './main-job';

export const connect: Connect = (baseUrl, managementKey) => {
  const client = createClient({ baseUrl, auth: managementKey });
  const at = (id: string) => ({ client, path: { id } });
  return {
    create: async (name) => dataOf(await api.createKey({ client, body: { name } })),
    verify: async (key) => dataOf(await api.verifyKey({ client, body: { key } })),
    list: async () => {
      const { data } = dataOf(
        await api.listKeys({ client, query: { status: ['active'], limit: 200 } }),
      );
      return data.map(({ name }) => name);
    },
    etag: async (id) => (await api.getKey(at(id))).response?.headers.get('etag') ?? null,
    rename: async (id, name, ifMatch) => {
      const headers = { 'If-Match': ifMatch };
      return shownIn(dataOf(await api.updateKey({ ...at(id), headers, body: { name } }))).name;
    },
    rotate: async (id) => dataOf(await api.rotateKey({ ...at(id), body: { graceSeconds: 0 } })).key,
    revoke: async (id) =>
      shownIn(dataOf(await api.revokeKey({ ...at(id), body: { reason: 'test' } }))).status,
    problemOf: async (id) => (await api.getKey(at(id))).error?.code ?? 'none',
  };
};

/** Only a caller without `keys:read` is answered without a body. */
function shownIn(changed: unknown): api.Key {
  if (!isShown(changed)) throw new Error('the change is not shown');
  return changed;
}

function isShown(changed: unknown): changed is api.Key {
  return typeof changed === 'object';
}

function dataOf<Data>({ data, error }: { data?: Data; error?: { code: string } }): Data {
  if (data === undefined) throw new Error(error?.code);
  return data;
}
