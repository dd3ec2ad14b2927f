import type { AttackEnv } from '../harness/env.ts';
import type { Scenario } from '../scenario.ts';
import { importable } from './key-material.ts';

/** What one workspace does must neither show in another nor change what it may do. */
const DIGESTS = 20;

async function statuses(env: AttackEnv, as: string, keys: readonly object[]): Promise<unknown[]> {
  const { results } = await env.must('POST', '/v1/keys/import', { keys }, as);
  return Array.isArray(results) ? results.map(({ status }) => status) : [];
}

const digests: Scenario = {
  group: 'isolation',
  name: 'digests/of-a-victim',
  does: 'imports the digests that a victim is about to import, and then deletes its workspace',
  setUp: async () => {
    const made = importable(DIGESTS, (name) => ({ name }));
    const items = made.map(({ item }) => JSON.stringify(item));
    return { items, strings: made.map(({ string }) => string) };
  },
  attack: async (attack) => {
    const keys = (attack.given.items ?? []).map((item) => JSON.parse(item));
    await attack.send({ path: '/v1/keys/import', body: { keys } });
  },
  check: async (env, { victim, workspaceId }, { items = [], strings = [] }) => {
    const keys = items.map((item) => JSON.parse(item));
    const told = await statuses(env, victim.managementKey, keys);
    const body = { key: strings[0], workspaceId: victim.workspaceId };
    const own = await env.call('POST', '/v1/verify', body);
    await env.must('DELETE', `/v1/workspaces/${workspaceId}`);
    const after = await env.call('POST', '/v1/verify', body);
    return [
      ...(told.every((status) => status === 'created')
        ? []
        : ['a victim could not import digests that another workspace had imported']),
      ...(own.body.code === 'VALID' ? [] : [`the imported key was answered ${own.body.code}`]),
      ...(after.body.code === 'VALID'
        ? []
        : [`the deletion of the other workspace made it ${after.body.code}`]),
    ];
  },
};

const suspension: Scenario = {
  group: 'isolation',
  name: 'suspension/resumes-itself',
  does: 'a suspended workspace tries to resume itself and to change its plan',
  setUp: async (env, { workspaceId }) => {
    const path = `/v1/workspaces/${workspaceId}`;
    await env.must('PUT', path, { apiAccess: false, maxActiveKeys: 1 });
    await env.must('POST', `${path}/suspend`, {});
    return {};
  },
  attack: async (attack) => {
    const path = `/v1/workspaces/${attack.target.workspaceId}`;
    const body = { apiAccess: true, maxActiveKeys: null };
    await attack.send({ path: `${path}/resume`, body: {} });
    await attack.send({ method: 'PATCH', path, body });
    await attack.send({ method: 'PUT', path, body });
  },
  check: async (env, { workspaceId }) => {
    const { status, apiAccess, maxActiveKeys } = await env.must(
      'GET',
      `/v1/workspaces/${workspaceId}`,
    );
    return [
      ...(status === 'suspended' ? [] : ['a suspended workspace resumed itself']),
      ...(apiAccess === false && maxActiveKeys === 1 ? [] : ['a workspace changed its own plan']),
    ];
  },
};

const auditOfOthers: Scenario = {
  group: 'isolation',
  name: 'audit/of-others',
  does: 'reads the log of its workspace, and that of `default`, for entries of others',
  attack: async (attack) => {
    await attack.hammer({ connections: 2, perSecond: 10 }, () => ({
      method: 'GET',
      path: '/v1/audit-events?limit=200',
    }));
  },
  check: async (env, { managementKey, victim }) => {
    const body = { name: 'reader', permissions: ['audit:read'], workspaceId: 'default' };
    const { key } = await env.must('POST', '/v1/management-keys', body);
    const others = await Promise.all(
      [victim.workspaceId, null].map((workspaceId) =>
        env.must('POST', '/v1/management-keys', { ...body, name: 'of others', workspaceId }),
      ),
    );
    const seen = await Promise.all(
      [managementKey, String(key)].map((as) =>
        env.must('GET', '/v1/audit-events?limit=200', undefined, as),
      ),
    );
    const told = JSON.stringify(seen);
    const isSeen = others.some(({ id }) => told.includes(String(id)));
    return isSeen ? ['a bound reader of a log saw a management key of others'] : [];
  },
};

const madeUp = (workspaceId: string) => `made-up-by-${workspaceId}`;

const gatewayWords: Scenario = {
  group: 'isolation',
  name: 'gateway/words-of-a-client',
  does: 'a client without a credential names a workspace in every way that a gateway could',
  attack: (attack) => {
    const name = madeUp(attack.target.workspaceId);
    return attack.hammer({ connections: 5, perSecond: 50 }, (count) => ({
      method: 'GET',
      path: `/v1/authorize${count % 3 === 0 ? `?workspaceId=${name}` : ''}`,
      as: null,
      headers: {
        'x-keyward-authorization': `${count % 2 ? '' : 'Bearer kw_x'}; workspaceId=${name}`,
        'x-keyward-workspace': name,
        'x-api-key': 'ak_live_x',
      },
    }));
  },
  check: async (env, { workspaceId }) => {
    // Counters are written once a second.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    const rows = await env.query('select from usage_unmatched where workspace_id = $1', [
      madeUp(workspaceId),
    ]);
    return rows.length === 0 ? [] : ['usage was counted under a name that a client made up'];
  },
};

export const ISOLATION: readonly Scenario[] = [digests, suspension, auditOfOthers, gatewayWords];
