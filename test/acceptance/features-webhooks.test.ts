import { beforeAll, describe, expect, it } from 'vitest';
import type { KeywardClient } from '../support/client.ts';
import {
  makeKey,
  makeWorkspace,
  ok,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';

const URL = 'https://receiver.invalid/hooks/keyward';

/** One test for each call: docs/features.md names them. */
let program: SharedProgram;
let root: KeywardClient;
beforeAll(async () => {
  program = await startSharedProgram({ KEYWARD_SECRET: 'secret-of-the-feature-table-0123456789' });
  root = program.root;
  return program.end;
});

describe('webhooks, call by call', () => {
  const make = async (body: { eventTypes?: ('key.created' | 'key.revoked')[] } = {}) => {
    const workspaceId = await makeWorkspace(root);
    return ok(root.POST('/v1/webhooks', { body: { url: URL, workspaceId, ...body } }));
  };
  const at = (id: string) => ({ params: { path: { id } } });
  const typesOf = async (id: string) => {
    const { data } = await ok(root.GET('/v1/webhooks/{id}/deliveries', at(id)));
    return data.map(({ eventType }) => eventType);
  };

  it('createWebhook returns a webhook whose signing secret is shown only this once', async () => {
    // Of its own creation it would be told at once, in vain.
    const { signingSecret, ...webhook } = await make({ eventTypes: ['key.created'] });
    expect(signingSecret).toMatch(/^whsec_/);
    expect(await ok(root.GET('/v1/webhooks/{id}', at(webhook.id)))).toEqual(webhook);
  });

  it('listWebhooks and getWebhook show webhooks without their secrets', async () => {
    const { signingSecret: _, ...webhook } = await make({ eventTypes: ['key.created'] });
    const params = { query: { workspaceId: webhook.workspaceId ?? '' } };
    const { data } = await ok(root.GET('/v1/webhooks', { params }));
    expect(data).toEqual([webhook]);
    expect(await ok(root.GET('/v1/webhooks/{id}', at(webhook.id)))).toEqual(webhook);
  });

  it('updateWebhook disables a webhook, for which nothing is queued from then on', async () => {
    const { id, workspaceId } = await make({ eventTypes: ['key.created'] });
    await makeKey(root, { workspaceId: workspaceId ?? '' });
    const body = { enabled: false };
    expect(await ok(root.PATCH('/v1/webhooks/{id}', { ...at(id), body }))).toMatchObject(body);
    await makeKey(root, { workspaceId: workspaceId ?? '' });
    expect(await typesOf(id)).toEqual(['key.created']);
  });

  it('deleteWebhook ends a webhook for good', async () => {
    const { id } = await make();
    expect((await root.DELETE('/v1/webhooks/{id}', at(id))).response.status).toBe(204);
    expect((await root.GET('/v1/webhooks/{id}', at(id))).response.status).toBe(404);
  });

  it('rotateSigningSecret returns a new secret and says until when the old one signs too', async () => {
    const { id, signingSecret } = await make();
    const body = { graceSeconds: 3600 };
    const rotated = await ok(root.POST('/v1/webhooks/{id}/rotate-secret', { ...at(id), body }));
    expect(rotated.signingSecret).toMatch(/^whsec_/);
    expect(rotated.signingSecret).not.toBe(signingSecret);
    expect(Date.parse(rotated.previousSecretUntil ?? '')).toBeGreaterThan(Date.now());
  });

  it('listDeliveries shows each event of a change as a delivery', async () => {
    const { id, workspaceId } = await make({ eventTypes: ['key.created', 'key.revoked'] });
    const key = await makeKey(root, { workspaceId: workspaceId ?? '' });
    await root.POST('/v1/keys/{id}/revoke', { ...at(key.id), body: {} });
    expect(await typesOf(id)).toEqual(['key.revoked', 'key.created']);
  });

  it('pingWebhook queues a test event, whatever types the webhook takes', async () => {
    const { id } = await make({ eventTypes: ['key.revoked'] });
    const delivery = await ok(root.POST('/v1/webhooks/{id}/ping', at(id)));
    expect(delivery).toMatchObject({ webhookId: id, eventType: 'webhook.ping' });
    expect(await typesOf(id)).toEqual(['webhook.ping']);
  });

  it('redeliverEvents sends what happened while a webhook was disabled', async () => {
    const { id, workspaceId } = await make({ eventTypes: ['key.created'] });
    await root.PATCH('/v1/webhooks/{id}', { ...at(id), body: { enabled: false } });
    await makeKey(root, { workspaceId: workspaceId ?? '' });
    await root.PATCH('/v1/webhooks/{id}', { ...at(id), body: { enabled: true } });
    const body = { after: '2020-01-01T00:00:00Z' };
    const answer = await ok(root.POST('/v1/webhooks/{id}/redeliver', { ...at(id), body }));
    expect(answer).toEqual({ queued: 1 });
    expect(await typesOf(id)).toEqual(['key.created']);
  });
});
