import { createHash } from 'node:crypto';
import type { Answer, Instance } from './instance.ts';
import { createManagementKey, putWorkspace } from './pair.ts';
import { createKey, verdict } from './sql-keys.ts';

/** A workspace with a key, on which one call is tried. */
export interface Stage {
  instance: Instance;
  workspaceId: string;
  /** Lists a resource and has credits, so that verdicts show when policies or balances change. */
  key: { id: string; key: string };
}

/** A call that is ready to be made, and how its effect shows. */
export interface Rehearsed {
  /** Whose call it is, where a key's holder needs no management key. */
  holder?: { id: string; key: string };
  method: string;
  url: string;
  body?: object;
  /** Where the changed thing is read; null where the call makes a new one or changes many. */
  thing: string | null;
  action: string;
  /** What one sees on an instance, before and after. */
  look: (instance: Instance, answer: Answer | null) => Promise<unknown>;
  before: unknown;
  after: unknown;
}

/** Every call that changes something, by `operationId`. */
export const MUTATING_CALLS: Record<string, (stage: Stage) => Promise<Rehearsed>> = {
  createKey: async ({ workspaceId }) => ({
    method: 'POST',
    url: '/v1/keys',
    body: { name: 'new', workspaceId },
    thing: null,
    action: 'key.created',
    look: (instance, answer) => (answer ? verdict(instance, answer.body.key) : none()),
    before: null,
    after: 'VALID',
  }),
  importKeys: async ({ workspaceId }) => {
    const old = `of-another-system-${workspaceId}`;
    const hash = { algorithm: 'sha256', value: createHash('sha256').update(old).digest('hex') };
    return {
      method: 'POST',
      url: '/v1/keys/import',
      body: { workspaceId, keys: [{ name: 'imported', hash }] },
      thing: null,
      action: 'key.imported',
      look: (instance) => verdict(instance, old),
      before: 'NOT_FOUND',
      after: 'VALID',
    };
  },
  updateKey: async (stage) => ({
    ...onKey(stage, 'PATCH', ''),
    body: { enabled: false },
    action: 'key.updated',
    after: 'DISABLED',
  }),
  revokeKey: async (stage) => ({
    ...onKey(stage, 'POST', '/revoke'),
    body: { workspaceId: stage.workspaceId, reason: 'test' },
    action: 'key.revoked',
    after: 'REVOKED',
  }),
  deleteKey: async (stage) => ({
    ...onKey(stage, 'DELETE', ''),
    action: 'key.deleted',
    after: 'NOT_FOUND',
  }),
  rotateKey: async (stage) => ({
    ...onKey(stage, 'POST', '/rotate'),
    body: { workspaceId: stage.workspaceId, graceSeconds: 0 },
    action: 'key.rotated',
    after: 'NOT_FOUND',
  }),
  endGrace: async (stage) => {
    const { instance, workspaceId, key } = stage;
    const body = { workspaceId, graceSeconds: 3600 };
    await instance.call('POST', `/v1/keys/${key.id}/rotate`, { body });
    const ended = onKey(stage, 'DELETE', '/retiring-secret');
    return { ...ended, action: 'key.grace_ended', after: 'NOT_FOUND' };
  },
  changeCredits: async (stage) => ({
    ...onKey(stage, 'POST', '/credits'),
    body: { workspaceId: stage.workspaceId, operation: 'set', amount: 0 },
    action: 'key.credits_changed',
    after: 'CREDITS_EXHAUSTED',
  }),
  bulkRevokeKeys: async (stage) => ({
    ...onKey(stage, 'POST', ''),
    url: '/v1/keys/bulk-revoke',
    body: { workspaceId: stage.workspaceId, ids: [stage.key.id] },
    thing: null,
    action: 'key.revoked',
    after: 'REVOKED',
  }),
  revokeOwnKey: async (stage) => ({
    ...onKey(stage, 'POST', ''),
    url: '/v1/whoami/revoke',
    holder: stage.key,
    thing: null,
    action: 'key.revoked',
    after: 'REVOKED',
  }),
  putWorkspace: async (stage) => ({
    ...onWorkspace(stage, 'PUT', ''),
    body: { requireResource: true },
    action: 'workspace.updated',
    after: 'RESOURCE_NOT_ALLOWED',
  }),
  updateWorkspace: async (stage) => ({
    ...onWorkspace(stage, 'PATCH', ''),
    body: { requireResource: true },
    action: 'workspace.updated',
    after: 'RESOURCE_NOT_ALLOWED',
  }),
  suspendWorkspace: async (stage) => ({
    ...onWorkspace(stage, 'POST', '/suspend'),
    action: 'workspace.suspended',
    after: 'WORKSPACE_SUSPENDED',
  }),
  resumeWorkspace: async (stage) => {
    await stage.instance.call('POST', `/v1/workspaces/${stage.workspaceId}/suspend`);
    return {
      ...onWorkspace(stage, 'POST', '/resume'),
      action: 'workspace.resumed',
      before: 'WORKSPACE_SUSPENDED',
      after: 'VALID',
    };
  },
  deleteWorkspace: async (stage) => ({
    ...onWorkspace(stage, 'DELETE', ''),
    action: 'workspace.deleted',
    after: 'NOT_FOUND',
  }),
  createManagementKey: async ({ workspaceId }) => ({
    method: 'POST',
    url: '/v1/management-keys',
    body: { name: 'new', workspaceId, permissions: ['management:write'] },
    thing: null,
    action: 'management_key.created',
    look: (instance, answer) => (answer ? entrance(instance, answer.body.key) : none()),
    before: null,
    after: 200,
  }),
  rotateManagementKey: async (stage) => ({
    ...(await onManagementKey(stage, '/rotate')),
    body: { graceSeconds: 0 },
    action: 'management_key.rotated',
  }),
  revokeManagementKey: async (stage) => ({
    ...(await onManagementKey(stage, '/revoke')),
    action: 'management_key.revoked',
  }),
};

/** Calls other than GET that change nothing. */
export const READING_CALLS = ['verifyKey', 'verifyKeys', 'explainKey'];

function onKey({ key, workspaceId }: Stage, method: string, path: string) {
  const thing = `/v1/keys/${key.id}?workspaceId=${workspaceId}`;
  const url = `/v1/keys/${key.id}${path}`;
  const look = (instance: Instance) => verdict(instance, key.key);
  const query = method === 'POST' ? '' : `?workspaceId=${workspaceId}`;
  return { method, url: url + query, thing, look, before: 'VALID' };
}

function onWorkspace({ key, workspaceId }: Stage, method: string, path: string) {
  const thing = `/v1/workspaces/${workspaceId}`;
  const look = (instance: Instance) => verdict(instance, key.key);
  return { method, url: thing + path, thing, look, before: 'VALID' };
}

async function onManagementKey({ instance, workspaceId }: Stage, path: string) {
  const wish = { permissions: ['management:write'] as const, workspaceId };
  const { id, key } = await createManagementKey(instance, wish);
  const thing = `/v1/management-keys/${id}`;
  const look = (other: Instance) => entrance(other, key);
  return { method: 'POST', url: thing + path, thing, look, before: 200, after: 401 };
}

export async function setStage(instance: Instance, workspaceId: string): Promise<Stage> {
  await putWorkspace(instance, workspaceId);
  const policy = { resources: ['project:alpha'], credits: { remaining: 1000 } };
  const key = await createKey(instance, { workspaceId, ...policy });
  return { instance, workspaceId, key };
}

/** Whether a management key is let in. */
async function entrance(instance: Instance, as: string): Promise<number> {
  return (await instance.call('GET', '/v1/management-keys', { as })).status;
}

function none(): Promise<null> {
  return Promise.resolve(null);
}
