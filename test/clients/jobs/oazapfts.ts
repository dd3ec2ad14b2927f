import * as api from '../generated/oazapfts';
import type { Connect } from './main-job';

export const connect: Connect = (url, managementKey) => {
  api.defaults.baseUrl = url;
  api.defaults.headers = { authorization: `Bearer ${managementKey}` };
  return {
    create: async (name) => {
      const answer = await api.createKey({ name });
      return answer.status === 201 ? answer.data : refuse(answer.data);
    },
    verify: async (key) => {
      const answer = await api.verifyKey({ key });
      return answer.status === 200 ? answer.data : refuse(answer.data);
    },
    list: async () => {
      const answer = await api.listKeys({ status: ['active'], limit: 200 });
      if (answer.status !== 200) return refuse(answer.data);
      return answer.data.data.map(({ name }) => name);
    },
    etag: async (id) => (await api.getKey(id)).headers.get('etag'),
    rename: async (id, name, ifMatch) => {
      const answer = await api.updateKey(id, { name }, { ifMatch });
      if (answer.status === 204) return unseen();
      return answer.status === 200 ? answer.data.name : refuse(answer.data);
    },
    rotate: async (id) => {
      const answer = await api.rotateKey(id, { graceSeconds: 0 });
      return answer.status === 200 ? answer.data.key : refuse(answer.data);
    },
    revoke: async (id) => {
      const answer = await api.revokeKey(id, { reason: 'test' });
      if (answer.status === 204) return unseen();
      return answer.status === 200 ? answer.data.status : refuse(answer.data);
    },
    problemOf: async (id) => {
      const answer = await api.getKey(id);
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
