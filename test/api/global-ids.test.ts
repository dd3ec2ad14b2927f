import { beforeAll, describe, expect, it } from 'vitest';
import { createFixture, MUTATING_CALLS } from '../support/mutating-calls.ts';
import { operationsOf } from '../support/operations.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

/** Every call that reads one thing, with the path below it. */
const READS: Record<string, { method: string; path: string; body?: object }> = {
  getKey: { method: 'GET', path: '' },
  getKeyUsage: { method: 'GET', path: '/usage' },
  explainKey: { method: 'POST', path: '/explain', body: {} },
};

/** Every call that changes one key, which `MUTATING_CALLS` makes ready. */
const CHANGES = [
  ...['updateKey', 'revokeKey', 'deleteKey', 'rotateKey', 'endGrace', 'changeCredits'],
];

/** What a list of a workspace is read by. */
const LISTS = ['/v1/keys', '/v1/management-keys', '/v1/audit-events'];

function withoutWorkspace(body: object | undefined): object | undefined {
  if (body === undefined) return undefined;
  const { workspaceId: _left, ...rest } = { workspaceId: undefined, ...body };
  return rest;
}

describe('ids', () => {
  const pair = usePair();
  let bound: { id: string; key: string };
  let count = 0;

  beforeAll(async () => {
    await putWorkspace(pair.first, 'other');
    const permissions = ['keys:read', 'keys:write', 'keys:revoke', 'usage:read'] as const;
    bound = await createManagementKey(pair.first, { permissions, workspaceId: 'other' });
  });

  it('every call that names a key by its id is tried by an unbound caller without a workspace', async () => {
    const { body } = await pair.first.call('GET', '/openapi.json');
    const byId = operationsOf(body.paths).filter(({ id }) =>
      Object.entries(body.paths).some(
        ([path, operations]) =>
          path.startsWith('/v1/keys/{id}') && JSON.stringify(operations).includes(`"${id}"`),
      ),
    );
    expect(byId.map(({ id }) => id).sort()).toEqual([...Object.keys(READS), ...CHANGES].sort());
  });

  it.each(Object.entries(READS))(
    '%s needs no workspace of an unbound caller, and refuses a wrong one and a foreign caller',
    async (_operation, { method, path, body }) => {
      count += 1;
      const { workspaceId, key } = await createFixture(pair.first, `read-${count}`);
      const url = `/v1/keys/${key.id}${path}`;
      const ask = (narrowed?: string, as?: string) => {
        const query = narrowed && !body ? `?workspaceId=${narrowed}` : '';
        const own = body && { ...body, ...(narrowed && { workspaceId: narrowed }) };
        const options = { ...(own && { body: own }), ...(as && { as }) };
        return pair.second.call(method, url + query, options);
      };
      expect((await ask()).status).toBe(200);
      expect((await ask(workspaceId)).status).toBe(200);
      expect((await ask('default')).status).toBe(404);
      expect((await ask('never-made')).status).toBe(404);
      expect((await ask(undefined, bound.key)).status).toBe(404);
    },
  );

  it.each(CHANGES)(
    '%s needs no workspace of an unbound caller, and refuses a foreign bound one',
    async (operation) => {
      count += 1;
      const fixture = await createFixture(pair.first, `change-${count}`);
      const made = await MUTATING_CALLS[operation]?.(fixture);
      if (!made) throw new Error(`no such call: ${operation}`);
      const url = made.url.replace(/\?.*/, '');
      const body = withoutWorkspace(made.body);
      const options = body ? { body } : {};
      const foreign = await pair.second.call(made.method, url, { ...options, as: bound.key });
      expect(foreign.status).toBe(404);
      expect(await made.observe(pair.second, null)).toEqual(made.before);
      const answer = await pair.second.call(made.method, url, options);
      expect(answer.status).toBeLessThan(300);
      expect(await made.observe(pair.second, answer)).toEqual(made.after);
    },
  );

  it('a change of the expiry, which locks the workspace first, needs none either', async () => {
    const key = await createKey(pair.first, { workspaceId: 'other' });
    const body = { expiresInSeconds: 60 };
    expect((await pair.second.call('PATCH', `/v1/keys/${key.id}`, { body })).status).toBe(200);
  });

  it.each([...LISTS, '/v1/audit-events/head'])(
    '%s of a workspace that does not exist is not found instead of empty',
    async (path) => {
      const { status, body } = await pair.first.call('GET', `${path}?workspaceId=never-made`);
      expect([status, body.code]).toEqual([404, 'NOT_FOUND']);
    },
  );

  it.each([true, false])(
    'a bulk revocation (dry run: %s) in a workspace that does not exist is not found',
    async (dryRun) => {
      const body = { workspaceId: 'never-made', ownerId: 'someone', dryRun };
      const { status } = await pair.first.call('POST', '/v1/keys/bulk-revoke', { body });
      expect(status).toBe(404);
    },
  );

  it.each(LISTS)(
    '%s lists one workspace, `default` without any, and all by an asterisk, but not to a bound caller',
    async (path) => {
      await putWorkspace(pair.first, 'listed');
      await createKey(pair.first, { workspaceId: 'listed' });
      const permissions = ['keys:read', 'management:read', 'audit:read'] as const;
      const manager = await createManagementKey(pair.first, { permissions, workspaceId: 'listed' });
      const seen = async (query: string) => {
        const { body } = await pair.first.call('GET', `${path}?limit=200${query}`);
        return [...new Set(body.data.map((it: { workspaceId: string }) => it.workspaceId))];
      };
      expect(await seen('&workspaceId=listed')).toEqual(['listed']);
      expect(await seen('')).not.toContain('listed');
      expect(await seen('&workspaceId=*')).toEqual(expect.arrayContaining(['listed', 'other']));
      const refused = await pair.first.call('GET', `${path}?workspaceId=*`, { as: manager.key });
      expect(refused.status).toBe(404);
    },
  );
});
