import { Api, type HttpResponse, type Problem } from '../generated/swagger-typescript-api';
import type { Connect } from './main-job';

/** A request with an error is rejected with its answer. Headers are not part of the types. */
export const connect: Connect = (baseUrl, managementKey) => {
  const headers = { authorization: `Bearer ${managementKey}` };
  const { v1 } = new Api({ baseUrl, baseApiParams: { headers } });
  return {
    create: (name) => dataOf(v1.createKey({ name })),
    verify: (key) => dataOf(v1.verifyKey({ key })),
    list: async () => {
      const { data } = await dataOf(v1.listKeys({ status: ['active'], limit: 200 }));
      return data.map(({ name }) => name);
    },
    etag: async (id) => (await v1.getKey({ id })).headers.get('etag'),
    rename: async (id, name, ifMatch) => {
      const params = { headers: { 'If-Match': ifMatch } };
      return (await dataOf(v1.updateKey({ id }, { name }, params))).name;
    },
    rotate: async (id) => (await dataOf(v1.rotateKey({ id }, { graceSeconds: 0 }))).key,
    revoke: async (id) => (await dataOf(v1.revokeKey({ id }, { reason: 'test' }))).status,
    problemOf: (id) =>
      v1.getKey({ id }).then(
        () => 'none',
        ({ error }: HttpResponse<unknown, Problem>) => error.code,
      ),
  };
};

async function dataOf<Data>(call: Promise<HttpResponse<Data, Problem>>): Promise<Data> {
  const { data } = await call.catch(({ error }: HttpResponse<unknown, Problem>) => {
    throw new Error(error.code);
  });
  return data;
}
