import { createHash, randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { PERMISSIONS } from '../../src/domain/caller.ts';
import { connect } from '../support/database.ts';
import type { Answer } from '../support/instance.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const pair = usePair();
let workspaceId = '';

beforeEach(async () => {
  workspaceId = `tenant-${randomUUID()}`;
  await putWorkspace(pair.first, workspaceId);
});

const root = (method: string, url: string, body?: object) =>
  pair.first.call(method, url, { ...(body && { body }) });
const outcome = ({ status, body }: Answer) => `${status} ${body?.code ?? ''}`.trim();
const own = () => `/v1/workspaces/${workspaceId}`;
const plan = (fields: object) => root('PATCH', own(), fields);
const create = (name = 'new') => root('POST', '/v1/keys', { name, workspaceId });
const load = (count: number) =>
  root('POST', '/v1/keys/import', {
    workspaceId,
    keys: Array.from({ length: count }, () => ({
      name: 'imported',
      hash: { algorithm: 'sha256', value: createHash('sha256').update(randomUUID()).digest('hex') },
    })),
  });

describe('the plan', () => {
  it.each(['maxKeys', 'maxAuditEvents', 'maxRequestsPerSecond'])(
    '%s of a workspace is null by default, and a bound caller reads it and cannot change it',
    async (field) => {
      const { key } = await createManagementKey(pair.first, {
        permissions: PERMISSIONS,
        workspaceId,
      });
      const ask = (method: string, body?: object) =>
        pair.first.call(method, own(), { as: key, ...(body && { body }) });
      expect((await ask('GET')).body[field]).toBeNull();
      await plan({ [field]: 1000 });
      expect((await ask('GET')).body[field]).toBe(1000);
      for (const value of [null, 1001, 1]) {
        const answer = await ask('PATCH', { [field]: value });
        expect(outcome(answer)).toBe('403 FORBIDDEN');
        expect(answer.body.errors[0].pointer).toBe(`/body/${field}`);
      }
      expect((await ask('PUT', { name: 'again' })).body[field]).toBe(1000);
    },
  );
});

describe('the maximum of keys', () => {
  it('a workspace has no more keys than its maximum, whatever their status, until one is deleted', async () => {
    await plan({ maxKeys: 2 });
    const first = await create();
    await root('POST', `/v1/keys/${first.body.id}/revoke`, {});
    expect((await create()).status).toBe(201);
    expect(outcome(await create())).toBe('409 KEY_LIMIT_REACHED');
    expect(outcome(await load(1))).toBe('409 KEY_LIMIT_REACHED');
    await root('DELETE', `/v1/keys/${first.body.id}`);
    expect(outcome(await load(2))).toBe('409 KEY_LIMIT_REACHED');
    expect((await load(1)).body.created).toBe(1);
  });

  it('keys that are created at the same time on two instances never exceed the maximum', async () => {
    await plan({ maxKeys: 3 });
    const calls = Array.from({ length: 8 }, (_, n) =>
      (n % 2 ? pair.first : pair.second).call('POST', '/v1/keys', {
        body: { name: `key ${n}`, workspaceId },
      }),
    );
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(3);
    expect(statuses.filter((status) => status === 409)).toHaveLength(5);
  });

  it('an expired key can be extended in a workspace that has all its keys', async () => {
    const { body } = await root('POST', '/v1/keys', {
      name: 'short',
      workspaceId,
      expiresInSeconds: 60,
    });
    await plan({ maxKeys: 1 });
    pair.advance(61_000);
    const extended = await root('PATCH', `/v1/keys/${body.id}`, { expiresInSeconds: 3600 });
    expect(extended.status).toBe(200);
  });
});

describe('the maximum of audit entries', () => {
  const entries = async () => {
    const head = await root('GET', `/v1/audit-events/head?workspaceId=${workspaceId}`);
    return head.body.sequence;
  };

  it('changes that would make the log of a workspace longer than its maximum are refused and change nothing', async () => {
    const key = await createKey(pair.first, { workspaceId, credits: { remaining: 5 } });
    const manager = await createManagementKey(pair.first, {
      permissions: PERMISSIONS,
      workspaceId,
    });
    await plan({ maxAuditEvents: await entries() });
    const full = await entries();
    const changes = [
      await create(),
      await load(1),
      await root('PATCH', `/v1/keys/${key.id}`, { name: 'other' }),
      await root('PATCH', `/v1/keys/${key.id}`, { name: 'other', enabled: false }),
      await root('POST', `/v1/keys/${key.id}/credits`, { operation: 'add', amount: 1 }),
      await root('POST', `/v1/keys/${key.id}/rotate`, { graceSeconds: 60 }),
      await root('POST', '/v1/management-keys', {
        name: 'more',
        workspaceId,
        permissions: ['keys:read'],
      }),
      await root('PATCH', `/v1/management-keys/${manager.id}`, { name: 'other' }),
      await root('POST', `/v1/management-keys/${manager.id}/rotate`, { graceSeconds: 60 }),
      await root('PATCH', own(), { name: 'other' }),
    ];
    expect(new Set(changes.map(outcome))).toEqual(new Set(['429 AUDIT_LIMIT_REACHED']));
    expect(await entries()).toBe(full);
    const shown = await root('GET', `/v1/keys/${key.id}`);
    expect(shown.body).toMatchObject({ enabled: true, credits: { remaining: 5 } });
    expect(shown.body.name).not.toBe('other');
  });

  it('a full audit log never stops what ends or stops something, nor the operator', async () => {
    const made = [1, 2, 3, 4].map(() => createKey(pair.first, { workspaceId }));
    const [one, two, three, four] = (await Promise.all(made)).map(({ id }) => id);
    const manager = await createManagementKey(pair.first, {
      permissions: PERMISSIONS,
      workspaceId,
    });
    await root('POST', `/v1/keys/${three}/rotate`, { graceSeconds: 3600 });
    await plan({ maxAuditEvents: 0 });
    const answers = [
      await root('POST', `/v1/keys/${one}/revoke`, {}),
      await root('POST', '/v1/keys/bulk-revoke', { ids: [two] }),
      await root('DELETE', `/v1/keys/${one}`),
      await root('DELETE', `/v1/keys/${three}/retiring-secret`),
      await root('PATCH', `/v1/keys/${four}`, { enabled: false }),
      await root('POST', `${own()}/suspend`, {}),
      await root('POST', `${own()}/resume`, {}),
      await root('POST', `/v1/management-keys/${manager.id}/revoke`, {}),
      await plan({ maxAuditEvents: 1 }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([
      200, 200, 204, 204, 200, 200, 200, 200, 200,
    ]);
    expect(outcome(await root('PATCH', `/v1/keys/${four}`, { enabled: true }))).toBe(
      '429 AUDIT_LIMIT_REACHED',
    );
    expect((await root('DELETE', own())).status).toBe(204);
  });

  it('changes pass again once the maximum is raised, or retention has dropped entries', async () => {
    await createKey(pair.first, { workspaceId });
    await plan({ maxAuditEvents: 3 });
    expect(outcome(await create())).toBe('429 AUDIT_LIMIT_REACHED');
    await plan({ maxAuditEvents: 5 });
    expect((await create()).status).toBe(201);
    expect(outcome(await create())).toBe('429 AUDIT_LIMIT_REACHED');
    const client = await connect(pair.databaseUrl);
    await client.query(
      `insert into audit_checkpoints (workspace_id, sequence, hash, cut_at)
       select workspace_id, sequence, hash, now() from audit_events
        where workspace_id = $1 and sequence = 2`,
      [workspaceId],
    );
    await client.end();
    expect((await create()).status).toBe(201);
    expect((await create()).status).toBe(201);
    expect(outcome(await create())).toBe('429 AUDIT_LIMIT_REACHED');
  });
});
