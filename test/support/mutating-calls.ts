import { createHash } from 'node:crypto';
import { insertAlert } from './alerts.ts';
import type { Answer, Instance } from './instance.ts';
import { createManagementKey, putWorkspace } from './pair.ts';
import { createKey, verdict } from './sql-keys.ts';
import { createWebhook, queuedTypes, RECEIVER } from './webhook-calls.ts';

/** A workspace with a key, on which one call is made. */
export interface Fixture {
  instance: Instance;
  workspaceId: string;
  /** Has a resource and credits, so that a change of a policy or a balance shows in its verdict. */
  key: { id: string; key: string };
}

/** A call that is ready to be sent, and how its effect shows. */
export interface PreparedCall {
  /** The key that authenticates the call, if it needs no management key. */
  ownKey?: { id: string; key: string };
  method: string;
  url: string;
  body?: object;
  /** Where the changed resource is read with its version; null if the call creates one or changes many. */
  resourceUrl: string | null;
  action: string;
  /** Reads what the call changes on an instance, before it and after it. */
  observe: (instance: Instance, answer: Answer | null) => Promise<unknown>;
  before: unknown;
  after: unknown;
}

/** Every call that changes something, by `operationId`. */
export const MUTATING_CALLS: Record<string, (fixture: Fixture) => Promise<PreparedCall>> = {
  createKey: async ({ workspaceId }) => ({
    method: 'POST',
    url: '/v1/keys',
    body: { name: 'new', workspaceId },
    resourceUrl: null,
    action: 'key.created',
    observe: (instance, answer) => (answer ? verdict(instance, answer.body.key) : resolveNull()),
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
      resourceUrl: null,
      action: 'key.imported',
      observe: (instance) => verdict(instance, old),
      before: 'NOT_FOUND',
      after: 'VALID',
    };
  },
  updateKey: async (fixture) => ({
    ...onKey(fixture, 'PATCH', ''),
    body: { enabled: false },
    action: 'key.updated',
    after: 'DISABLED',
  }),
  revokeKey: async (fixture) => ({
    ...onKey(fixture, 'POST', '/revoke'),
    body: { workspaceId: fixture.workspaceId, reason: 'test' },
    action: 'key.revoked',
    after: 'REVOKED',
  }),
  deleteKey: async (fixture) => ({
    ...onKey(fixture, 'DELETE', ''),
    action: 'key.deleted',
    after: 'NOT_FOUND',
  }),
  rotateKey: async (fixture) => ({
    ...onKey(fixture, 'POST', '/rotate'),
    body: { workspaceId: fixture.workspaceId, graceSeconds: 0 },
    action: 'key.rotated',
    after: 'NOT_FOUND',
  }),
  endGrace: async (fixture) => {
    const { instance, workspaceId, key } = fixture;
    const body = { workspaceId, graceSeconds: 3600 };
    await instance.call('POST', `/v1/keys/${key.id}/rotate`, { body });
    const ended = onKey(fixture, 'DELETE', '/retiring-secret');
    return { ...ended, action: 'key.grace_ended', after: 'NOT_FOUND' };
  },
  changeCredits: async (fixture) => ({
    ...onKey(fixture, 'POST', '/credits'),
    body: { workspaceId: fixture.workspaceId, operation: 'set', amount: 0 },
    action: 'key.credits_changed',
    after: 'CREDITS_EXHAUSTED',
  }),
  bulkRevokeKeys: async (fixture) => ({
    ...onKey(fixture, 'POST', ''),
    url: '/v1/keys/bulk-revoke',
    body: { workspaceId: fixture.workspaceId, ids: [fixture.key.id] },
    resourceUrl: null,
    action: 'key.revoked',
    after: 'REVOKED',
  }),
  erasePersonalData: async ({ instance, workspaceId }) => {
    const { id, key } = await createKey(instance, { workspaceId, ownerId: 'customer_42' });
    await instance.call('POST', '/v1/verify', { body: { key, userAgent: 'curl/8.5.0' } });
    await instance.flush();
    const url = `/v1/keys/${id}?workspaceId=${workspaceId}`;
    const observe = async (other: Instance) =>
      (await other.call('GET', url)).body.usage.lastUsedFrom?.userAgent ?? null;
    return {
      method: 'DELETE',
      url: `/v1/owners/customer_42/personal-data?workspaceId=${workspaceId}`,
      resourceUrl: null,
      action: 'owner.personal_data_erased',
      observe,
      before: 'curl',
      after: null,
    };
  },
  revokeOwnKey: async (fixture) => ({
    ...onKey(fixture, 'POST', ''),
    url: '/v1/whoami/revoke',
    ownKey: fixture.key,
    resourceUrl: null,
    action: 'key.revoked',
    after: 'REVOKED',
  }),
  putWorkspace: async (fixture) => ({
    ...onWorkspace(fixture, 'PUT', ''),
    body: { requireResource: true },
    action: 'workspace.updated',
    after: 'RESOURCE_NOT_ALLOWED',
  }),
  updateWorkspace: async (fixture) => ({
    ...onWorkspace(fixture, 'PATCH', ''),
    body: { requireResource: true },
    action: 'workspace.updated',
    after: 'RESOURCE_NOT_ALLOWED',
  }),
  suspendWorkspace: async (fixture) => ({
    ...onWorkspace(fixture, 'POST', '/suspend'),
    action: 'workspace.suspended',
    after: 'WORKSPACE_SUSPENDED',
  }),
  resumeWorkspace: async (fixture) => {
    await fixture.instance.call('POST', `/v1/workspaces/${fixture.workspaceId}/suspend`);
    return {
      ...onWorkspace(fixture, 'POST', '/resume'),
      action: 'workspace.resumed',
      before: 'WORKSPACE_SUSPENDED',
      after: 'VALID',
    };
  },
  acknowledgeAlert: async ({ instance, workspaceId, key }) => {
    const url = `/v1/alerts/${await insertAlert(instance, workspaceId, key.id)}`;
    return {
      method: 'POST',
      url: `${url}/acknowledge`,
      body: { note: 'seen' },
      resourceUrl: null,
      action: 'alert.acknowledged',
      observe: async (instance) => (await instance.call('GET', url)).body.acknowledgeNote,
      before: null,
      after: 'seen',
    };
  },
  deleteWorkspace: async (fixture) => ({
    ...onWorkspace(fixture, 'DELETE', ''),
    action: 'workspace.deleted',
    after: 'NOT_FOUND',
  }),
  createManagementKey: async ({ workspaceId }) => ({
    method: 'POST',
    url: '/v1/management-keys',
    body: { name: 'new', workspaceId, permissions: ['management:read'] },
    resourceUrl: null,
    action: 'management_key.created',
    observe: (instance, answer) =>
      answer ? statusOfCall(instance, answer.body.key) : resolveNull(),
    before: null,
    after: 200,
  }),
  updateManagementKey: async (fixture) => ({
    ...(await onManagementKey(fixture, '', 'PATCH')),
    body: { permissions: ['keys:read'] },
    action: 'management_key.updated',
    after: 403,
  }),
  rotateManagementKey: async (fixture) => ({
    ...(await onManagementKey(fixture, '/rotate')),
    body: { graceSeconds: 0 },
    action: 'management_key.rotated',
  }),
  revokeManagementKey: async (fixture) => ({
    ...(await onManagementKey(fixture, '/revoke')),
    action: 'management_key.revoked',
  }),
  createWebhook: async ({ workspaceId }) => ({
    method: 'POST',
    url: '/v1/webhooks',
    body: { url: RECEIVER, workspaceId },
    resourceUrl: null,
    action: 'webhook.created',
    observe: async (instance, answer) =>
      answer ? (await instance.call('GET', `/v1/webhooks/${answer.body.id}`)).status : null,
    before: null,
    after: 200,
  }),
  updateWebhook: async (fixture) => ({
    ...(await onWebhook(fixture, 'PATCH', '', ({ body }) => body.description)),
    body: { description: 'Chat' },
    action: 'webhook.updated',
    before: null,
    after: 'Chat',
  }),
  rotateSigningSecret: async (fixture) => ({
    ...(await onWebhook(fixture, 'POST', '/rotate-secret', isRotated)),
    body: { graceSeconds: 3600 },
    action: 'webhook.secret_rotated',
    before: false,
    after: true,
  }),
  deleteWebhook: async (fixture) => ({
    ...(await onWebhook(fixture, 'DELETE', '', ({ status }) => status)),
    action: 'webhook.deleted',
    before: 200,
    after: 404,
  }),
  pingWebhook: async (fixture) => ({
    ...(await onWebhook(fixture, 'POST', '/ping')),
    resourceUrl: null,
    action: 'webhook.pinged',
    before: [],
    after: ['webhook.ping'],
  }),
  redeliverEvents: async (fixture) => ({
    ...(await onWebhook(fixture, 'POST', '/redeliver')),
    body: { after: '2020-01-01T00:00:00Z' },
    resourceUrl: null,
    action: 'webhook.redelivered',
    before: [],
    after: ['workspace.created'],
  }),
};

/** Calls other than GET that change nothing. */
export const READING_CALLS = ['verifyKey', 'verifyKeys', 'introspectKey', 'explainKey', 'findKey'];

function onKey({ key, workspaceId }: Fixture, method: string, path: string) {
  const resourceUrl = `/v1/keys/${key.id}?workspaceId=${workspaceId}`;
  const url = `/v1/keys/${key.id}${path}`;
  const observe = (instance: Instance) => verdict(instance, key.key);
  const query = method === 'POST' ? '' : `?workspaceId=${workspaceId}`;
  return { method, url: url + query, resourceUrl, observe, before: 'VALID' };
}

function onWorkspace({ key, workspaceId }: Fixture, method: string, path: string) {
  const resourceUrl = `/v1/workspaces/${workspaceId}`;
  const observe = (instance: Instance) => verdict(instance, key.key);
  return { method, url: resourceUrl + path, resourceUrl, observe, before: 'VALID' };
}

async function onManagementKey({ instance, workspaceId }: Fixture, path: string, method = 'POST') {
  const options = { permissions: ['management:read', 'keys:read'] as const, workspaceId };
  const { id, key } = await createManagementKey(instance, options);
  const resourceUrl = `/v1/management-keys/${id}`;
  const observe = (other: Instance) => statusOfCall(other, key);
  return { method, url: resourceUrl + path, resourceUrl, observe, before: 200, after: 401 };
}

const isRotated = ({ body }: Answer) => typeof body.previousSecretUntil === 'string';

/** On a webhook that takes nothing of what happens from now on. */
async function onWebhook(
  { instance, workspaceId }: Fixture,
  method: string,
  path: string,
  shown?: (answer: Answer) => unknown,
) {
  const { id } = await createWebhook(instance, { workspaceId, eventTypes: ['workspace.created'] });
  const resourceUrl = `/v1/webhooks/${id}`;
  const observe = async (other: Instance) =>
    shown ? shown(await other.call('GET', resourceUrl)) : queuedTypes(other, id);
  return { method, url: resourceUrl + path, resourceUrl, observe };
}

export async function createFixture(instance: Instance, workspaceId: string): Promise<Fixture> {
  await putWorkspace(instance, workspaceId);
  const policy = { resources: ['project:alpha'], credits: { remaining: 1000 } };
  const key = await createKey(instance, { workspaceId, ...policy });
  return { instance, workspaceId, key };
}

/** 200 if the management key is accepted, 401 if not. */
async function statusOfCall(instance: Instance, as: string): Promise<number> {
  return (await instance.call('GET', '/v1/management-keys', { as })).status;
}

function resolveNull(): Promise<null> {
  return Promise.resolve(null);
}
