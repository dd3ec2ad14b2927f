import createClient from 'openapi-fetch';
import type { paths } from '../generated/openapi-typescript';
import type { Connect } from './main-job';

export const connect: Connect = (baseUrl, managementKey) => {
  const headers = { authorization: `Bearer ${managementKey}` };
  const api = createClient<paths>({ baseUrl, headers });
  const at = (id: string) => ({ params: { path: { id } } });
  return {
    create: async (name) => dataOf(await api.POST('/v1/keys', { body: { name } })),
    verify: async (key) => dataOf(await api.POST('/v1/verify', { body: { key } })),
    list: async () => {
      const query = { status: ['active' as const], limit: 200 };
      const { data } = dataOf(await api.GET('/v1/keys', { params: { query } }));
      return data.map(({ name }) => name);
    },
    etag: async (id) => (await api.GET('/v1/keys/{id}', at(id))).response.headers.get('etag'),
    rename: async (id, name, ifMatch) => {
      const params = { path: { id }, header: { 'If-Match': ifMatch } };
      return dataOf(await api.PATCH('/v1/keys/{id}', { params, body: { name } })).name;
    },
    rotate: async (id) => {
      const body = { graceSeconds: 0 };
      return dataOf(await api.POST('/v1/keys/{id}/rotate', { ...at(id), body })).key;
    },
    revoke: async (id) => {
      const body = { reason: 'test' };
      return dataOf(await api.POST('/v1/keys/{id}/revoke', { ...at(id), body })).status;
    },
    problemOf: async (id) => {
      const { error } = await api.GET('/v1/keys/{id}', at(id));
      return error?.code ?? 'none';
    },
  };
};

function dataOf<Data>({ data, error }: { data?: Data; error?: { code: string } }): Data {
  if (data === undefined) throw new Error(error?.code);
  return data;
}
