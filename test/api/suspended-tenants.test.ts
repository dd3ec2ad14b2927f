import { beforeEach, describe, expect, it } from 'vitest';
import { PERMISSIONS } from '../../src/domain/caller.ts';
import { connect } from '../support/database.ts';
import type { CallOptions } from '../support/instance.ts';
import { untilWaiting } from '../support/locks.ts';
import { createFixture, MUTATING_CALLS } from '../support/mutating-calls.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';

const pair = usePair();
let count = 0;
let workspaceId = '';
let manager = { id: '', key: '' };

beforeEach(async () => {
  workspaceId = `tenant-${++count}`;
  await putWorkspace(pair.first, workspaceId);
  manager = await createManagementKey(pair.first, { permissions: PERMISSIONS, workspaceId });
});

const ask = (method: string, url: string, options: CallOptions = {}) =>
  pair.second.call(method, url, { as: manager.key, ...options });
const suspend = () => pair.first.call('POST', `/v1/workspaces/${workspaceId}/suspend`);
const own = () => `/v1/workspaces/${workspaceId}`;

describe('a suspended workspace', () => {
  const changing = Object.entries(MUTATING_CALLS).filter(([id]) => id !== 'revokeOwnKey');

  it.each(changing)(
    '%s is refused to a management key that is bound to a suspended workspace, on every instance',
    async (_operation, prepare) => {
      const fixture = await createFixture(pair.first, workspaceId);
      const { method, url, body } = await prepare(fixture);
      await ask('GET', own());
      await suspend();
      const answer = await ask(method, url, { ...(body && { body }) });
      expect([answer.status, answer.body.code]).toEqual([403, 'WORKSPACE_SUSPENDED']);
    },
  );

  it('the management keys of a suspended workspace go on reading and verifying, and their holders can revoke them', async () => {
    const { key } = await createFixture(pair.first, workspaceId);
    await suspend();
    for (const url of ['/v1/keys', `/v1/keys/${key.id}`, own(), '/v1/audit-events', '/v1/whoami']) {
      expect((await ask('GET', url)).status, url).toBe(200);
    }
    const verified = await ask('POST', '/v1/verify', { body: { key: key.key } });
    expect(verified.body.code).toBe('WORKSPACE_SUSPENDED');
    expect((await ask('POST', `/v1/keys/${key.id}/explain`, { body: {} })).status).toBe(200);
    expect((await ask('POST', '/v1/whoami/revoke')).status).toBe(204);
    expect((await ask('GET', own())).status).toBe(401);
  });

  it('a change that is under way when its workspace is suspended is refused', async () => {
    const { key } = await createFixture(pair.first, workspaceId);
    const gate = await connect(pair.databaseUrl);
    await gate.query('begin');
    await gate.query('select from keys where id = $1 for update', [key.id]);
    await gate.query('select from audit_heads where workspace_id = $1 for update', [workspaceId]);
    const changes = [
      ask('PATCH', `/v1/keys/${key.id}`, { body: { name: 'late' } }),
      ask('POST', '/v1/keys', { body: { name: 'late' } }),
    ];
    await untilWaiting(pair.databaseUrl, 2);
    await gate.query("update workspaces set status = 'suspended' where id = $1", [workspaceId]);
    await gate.query('commit');
    await gate.end();
    const codes = (await Promise.all(changes)).map(({ body }) => body.code);
    expect(codes).toEqual(['WORKSPACE_SUSPENDED', 'WORKSPACE_SUSPENDED']);
  });

  it('a workspace is resumed by a management key for all workspaces alone, after which its own change it again', async () => {
    expect((await ask('POST', `${own()}/resume`)).body.code).toBe('FORBIDDEN');
    expect((await ask('POST', `${own()}/suspend`)).status).toBe(200);
    expect((await ask('POST', `${own()}/resume`)).body.code).toBe('WORKSPACE_SUSPENDED');
    expect((await pair.first.call('POST', `${own()}/resume`)).status).toBe(200);
    expect((await ask('PATCH', own(), { body: { name: 'back' } })).status).toBe(200);
  });
});

describe('the plan of a workspace', () => {
  const plan = { apiAccess: false, maxActiveKeys: 3 };

  it('the fields of the plan are changed by callers for all workspaces alone', async () => {
    await pair.first.call('PATCH', own(), { body: plan });
    for (const [field, value] of [
      ['apiAccess', true],
      ['maxActiveKeys', null],
      ['maxActiveKeys', 4],
    ] as const) {
      for (const method of ['PATCH', 'PUT']) {
        const { status, body } = await ask(method, own(), { body: { [field]: value } });
        expect([status, body.code]).toEqual([403, 'FORBIDDEN']);
        expect(body.errors).toMatchObject([{ pointer: `/body/${field}` }]);
      }
    }
    expect((await pair.first.call('GET', own())).body).toMatchObject(plan);
  });

  it('a bound caller that replaces its workspace keeps its plan, and may name it as it is', async () => {
    await pair.first.call('PATCH', own(), { body: { ...plan, requireExpiry: true } });
    const replaced = await ask('PUT', own(), { body: { name: 'Mine' } });
    expect(replaced.body).toMatchObject({ ...plan, name: 'Mine', requireExpiry: false });
    expect((await ask('PUT', own(), { body: plan })).body).toMatchObject(plan);
    expect((await ask('PATCH', own(), { body: plan })).status).toBe(200);
    const reset = await pair.first.call('PUT', own(), { body: {} });
    expect(reset.body).toMatchObject({ apiAccess: true, maxActiveKeys: null });
  });

  it('a bound caller that deletes its workspace cannot make it again', async () => {
    expect((await ask('DELETE', own())).status).toBe(204);
    expect((await ask('PUT', own(), { body: {} })).status).toBe(401);
  });
});
