import * as api from '../generated/orval';
import type { Connect } from './main-job';

/** Orval writes functions that call `fetch` with a path: the URL and the key come in here. */
export const connect: Connect = (url, managementKey) => {
  const fetchOfNode = fetch;
  globalThis.fetch = (path, init) => fetchOfNode(new URL(String(path), url), init);
  const authorization = { authorization: `Bearer ${managementKey}` };
  const options = { headers: authorization };
  return {
    create: async (name) => {
      const answer = await api.createKey({ name }, {}, options);
      return answer.status === 201 ? answer.data : refuse(answer.data);
    },
    verify: async (key) => {
      const answer = await api.verifyKey({ key }, options);
      return answer.status === 200 ? answer.data : refuse(answer.data);
    },
    list: async () => {
      const answer = await api.listKeys({ status: ['active'], limit: 200 }, options);
      if (answer.status !== 200) return refuse(answer.data);
      return answer.data.data.map(({ name }) => name);
    },
    etag: async (id) => (await api.getKey(id, {}, options)).headers.get('etag'),
    rename: async (id, name, ifMatch) => {
      const headers = { 'If-Match': ifMatch };
      const answer = await api.updateKey(id, { name }, {}, headers, options);
      if (answer.status === 204) return unseen();
      return answer.status === 200 ? answer.data.name : refuse(answer.data);
    },
    rotate: async (id) => {
      const answer = await api.rotateKey(id, { graceSeconds: 0 }, {}, options);
      return answer.status === 200 ? answer.data.key : refuse(answer.data);
    },
    revoke: async (id) => {
      const answer = await api.revokeKey(id, { reason: 'test' }, {}, options);
      if (answer.status === 204) return unseen();
      return answer.status === 200 ? answer.data.status : refuse(answer.data);
    },
    problemOf: async (id) => {
      const answer = await api.getKey(id, {}, options);
      return answer.status === 404 ? answer.data.code : 'none';
    },
  };
};

/** Only a caller without `keys:read` is answered without a body. */
function unseen(): never {
  throw new Error('the change is not shown');
}

function refuse(problem: api.Problem): never {
  throw new Error(problem.code);
}
