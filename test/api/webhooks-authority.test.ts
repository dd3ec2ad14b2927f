import { beforeAll, describe, expect, it } from 'vitest';
import type { Permission } from '../../src/domain/caller.ts';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey } from '../support/sql-keys.ts';
import { createWebhook, deliveriesOf, queuedTypes, RECEIVER } from '../support/webhook-calls.ts';

const WRITE: Permission[] = ['webhooks:read', 'webhooks:write'];
const FULL: Permission[] = [...WRITE, 'audit:read'];

describe('who may do what with webhooks', () => {
  const pair = usePair();
  let bound: string;
  let writer: string;

  beforeAll(async () => {
    for (const id of ['acme', 'globex']) await putWorkspace(pair.first, id);
    bound = await keyOf(FULL, 'acme');
    writer = await keyOf(WRITE, null);
  });

  const keyOf = async (permissions: readonly Permission[], workspaceId: string | null) =>
    (await createManagementKey(pair.first, { permissions, workspaceId })).key;
  const create = (as: string, body: object = {}) =>
    pair.first.call('POST', '/v1/webhooks', { as, body: { url: RECEIVER, ...body } });
  const patch = (as: string, id: string, body: object) =>
    pair.first.call('PATCH', `/v1/webhooks/${id}`, { as, body });

  it('to create a webhook a caller needs audit:read beside webhooks:write, for it is sent what the audit log says', async () => {
    const refused = await create(writer);
    expectProblem(refused, { status: 403, code: 'FORBIDDEN' });
    expect(refused.body.detail).toContain('audit:read');
    expect((await create(await keyOf(FULL, null))).status).toBe(201);
  });

  it('without audit:read a webhook can be narrowed, renamed, disabled, rotated and deleted, and in no way widened', async () => {
    const eventTypes = ['key.created', 'key.revoked'];
    const { id } = await createWebhook(pair.first, { eventTypes });
    for (const body of [
      { url: 'https://elsewhere.invalid/' },
      { eventTypes: null },
      { eventTypes: ['key.created', 'key.updated'] },
    ]) {
      expect((await patch(writer, id, body)).status).toBe(403);
    }
    for (const body of [
      { description: 'Chat', url: RECEIVER },
      { eventTypes: ['key.revoked', 'key.created'], enabled: true },
      { eventTypes: ['key.created'] },
      { format: 'cloudevents' },
      { enabled: false },
    ]) {
      expect((await patch(writer, id, body)).status).toBe(200);
    }
    expect((await patch(writer, id, { enabled: true })).status).toBe(403);
    const url = `/v1/webhooks/${id}`;
    const rotation = { as: writer, body: { graceSeconds: 0 } };
    expect((await pair.first.call('POST', `${url}/rotate-secret`, rotation)).status).toBe(200);
    expect((await pair.first.call('DELETE', url, { as: writer })).status).toBe(204);
  });

  it('a webhook is disabled with the management key that made it, or that last sent it elsewhere or enabled it, and with no other', async () => {
    const holders = await Promise.all(
      [0, 1, 2, 3].map(() =>
        createManagementKey(pair.first, { permissions: FULL, workspaceId: null }),
      ),
    );
    const [maker, sender, enabler, renamer] = holders.map(({ key }) => String(key));
    const ids: string[] = [];
    for (const as of [maker, undefined, undefined, undefined]) {
      ids.push((await createWebhook(pair.first, {}, as === undefined ? {} : { as })).id);
    }
    const [, sent = '', enabled = '', renamed = ''] = ids;
    await patch(String(sender), sent, { url: 'https://elsewhere.invalid/' });
    await patch(String(renamer), enabled, { enabled: false });
    await patch(String(enabler), enabled, { enabled: true });
    await patch(String(renamer), renamed, { description: 'Chat', eventTypes: ['key.created'] });
    for (const { id } of holders) {
      await pair.first.call('POST', `/v1/management-keys/${id}/revoke`);
    }
    const shown = await Promise.all(ids.map((id) => pair.second.call('GET', `/v1/webhooks/${id}`)));
    const REVOKED = [false, 'creator_revoked'];
    expect(shown.map(({ body }) => [body.enabled, body.disabledReason])).toEqual([
      ...[REVOKED, REVOKED, REVOKED],
      [true, null],
    ]);
    for (const id of ids) await pair.first.call('DELETE', `/v1/webhooks/${id}`);
  });

  it('a webhook without types cannot be narrowed and then widened again by a caller without audit:read', async () => {
    const { id } = await createWebhook(pair.first);
    expect((await patch(writer, id, { eventTypes: ['key.created'] })).status).toBe(200);
    expect((await patch(writer, id, { eventTypes: null })).status).toBe(403);
  });

  it('events of a range of time are sent again only for a caller with audit:read', async () => {
    const { id } = await createWebhook(pair.first);
    const redeliver = async (as: string) => {
      const body = { after: '2020-01-01T00:00:00Z' };
      return (await pair.first.call('POST', `/v1/webhooks/${id}/redeliver`, { as, body })).status;
    };
    expect([await redeliver(writer), await redeliver(await keyOf(FULL, null))]).toEqual([403, 202]);
  });

  it('a caller of one workspace creates webhooks of it alone, and names no other and not all', async () => {
    const made = await create(bound);
    expect(made.body).toMatchObject({ workspaceId: 'acme' });
    expect((await create(bound, { workspaceId: 'acme' })).status).toBe(201);
    expect((await create(bound, { workspaceId: 'globex' })).status).toBe(404);
    expect((await create(bound, { workspaceId: 'nowhere' })).status).toBe(404);
    expect((await create(bound, { workspaceId: null })).status).toBe(404);
  });

  it('a caller of one workspace sees and changes no webhook of another, nor one for all workspaces', async () => {
    const foreign = await createWebhook(pair.first, { workspaceId: 'globex' });
    const everywhere = await createWebhook(pair.first, { workspaceId: null });
    const own = await createWebhook(pair.first, { workspaceId: 'acme' });
    const unknown = `wh_${'0'.repeat(22)}`;
    const listed = await pair.first.call('GET', '/v1/webhooks?limit=200', { as: bound });
    const ids = listed.body.data.map(({ id }: { id: string }) => id);
    expect(ids).toContain(own.id);
    expect(ids).not.toContain(foreign.id);
    expect(ids).not.toContain(everywhere.id);
    for (const query of ['?workspaceId=globex', '?workspaceId=*']) {
      const { status } = await pair.first.call('GET', `/v1/webhooks${query}`, { as: bound });
      expect(status).toBe(404);
    }
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['PATCH', '', { enabled: false }],
      ['DELETE', '', undefined],
      ['POST', '/rotate-secret', { graceSeconds: 0 }],
      ['POST', '/ping', undefined],
      ['POST', '/redeliver', { after: '2020-01-01T00:00:00Z' }],
      ['GET', '/deliveries', undefined],
    ] as const) {
      const textOf = async (id: string) => {
        const options = { as: bound, headers: { 'x-request-id': 'same' }, ...(body && { body }) };
        const { status, text } = await pair.first.call(
          method,
          `/v1/webhooks/${id}${path}`,
          options,
        );
        return { status, text };
      };
      const answer = await textOf(unknown);
      expect(answer.status).toBe(404);
      expect(await textOf(foreign.id)).toEqual(answer);
      expect(await textOf(everywhere.id)).toEqual(answer);
    }
  });

  it('a delivery of one webhook cannot be named through another', async () => {
    const one = await createWebhook(pair.first, { workspaceId: 'globex' });
    await createKey(pair.first, { workspaceId: 'globex' });
    const own = await createWebhook(pair.first, { workspaceId: 'acme' });
    const [delivery] = await deliveriesOf(pair.first, one.id);
    const url = `/v1/webhooks/${own.id}/redeliver`;
    const body = { deliveryId: delivery.id };
    expect((await pair.first.call('POST', url, { as: bound, body })).status).toBe(404);
    expect((await pair.first.call('POST', url, { body })).status).toBe(404);
  });

  it('a webhook of one workspace is sent nothing of another, nor of webhooks and management keys for all', async () => {
    const own = await createWebhook(pair.first, { workspaceId: 'default' });
    const everywhere = await createWebhook(pair.first, { workspaceId: null });
    await createManagementKey(pair.first, { permissions: ['keys:read'], workspaceId: null });
    await createKey(pair.first, { workspaceId: 'globex' });
    const queued = await queuedTypes(pair.second, own.id);
    expect(queued).toEqual(['webhook.created']);
    const seen = await queuedTypes(pair.second, everywhere.id);
    expect(seen).toEqual(['webhook.created', 'management_key.created', 'key.created']);
    const after = '2020-01-01T00:00:00Z';
    const url = `/v1/webhooks/${own.id}/redeliver`;
    await pair.first.call('POST', url, { body: { after } });
    const again: { eventId: string }[] = await deliveriesOf(pair.second, own.id, '?limit=200');
    const foreign = await auditOf(pair.first, everywhere.id);
    for (const { id } of foreign) expect(again.map(({ eventId }) => eventId)).not.toContain(id);
  });

  it('a workspace that was made again is sent no event of its predecessor, not even to the root key', async () => {
    await putWorkspace(pair.first, 'again');
    const key = await createKey(pair.first, { workspaceId: 'again' });
    await pair.first.call('DELETE', '/v1/workspaces/again');
    await putWorkspace(pair.first, 'again');
    const { id } = await createWebhook(pair.first, { workspaceId: 'again' });
    const body = { after: '2020-01-01T00:00:00Z' };
    await pair.first.call('POST', `/v1/webhooks/${id}/redeliver`, { body });
    expect(await queuedTypes(pair.second, id)).toEqual([
      'webhook.created',
      'workspace.created',
      'webhook.redelivered',
    ]);
    expect(JSON.stringify(await deliveriesOf(pair.second, id))).not.toContain(key.id);
  });

  it('a caller that may only change webhooks is told that a change or test is made, and shown nothing', async () => {
    const { id } = await createWebhook(pair.first);
    const only = await keyOf(['webhooks:write'], null);
    const url = `/v1/webhooks/${id}`;
    expect((await patch(only, id, { description: 'Chat' })).status).toBe(204);
    expect((await pair.first.call('POST', `${url}/ping`, { as: only })).status).toBe(204);
    expect((await pair.first.call('GET', url, { as: only })).status).toBe(403);
    expect((await pair.first.call('GET', `${url}/deliveries`, { as: only })).status).toBe(403);
  });

  it('the log says which webhooks were disabled with a management key, however that was revoked', async () => {
    const maker = await createManagementKey(pair.first, { permissions: FULL, workspaceId: 'acme' });
    const { id } = (await create(maker.key)).body;
    const other = await createWebhook(pair.first, { workspaceId: 'acme' });
    const url = `/v1/management-keys/${maker.id}/revoke`;
    await pair.first.call('POST', url, { body: { includeCreated: false } });
    const read = async (each: string) =>
      (await pair.first.call('GET', `/v1/webhooks/${each}`)).body;
    expect(await read(id)).toMatchObject({ enabled: false, disabledReason: 'creator_revoked' });
    expect(await read(other.id)).toMatchObject({ enabled: true, disabledReason: null });
    const [entry] = await auditOf(pair.first, id, 'acme');
    expect(entry).toMatchObject({ after: { enabled: false, disabledReason: 'creator_revoked' } });
    expect((await patch(bound, id, { enabled: true })).body.disabledReason).toBeNull();
  });

  it('a caller that loses audit:read while it creates a webhook creates none', async () => {
    const maker = await createManagementKey(pair.first, { permissions: FULL });
    const narrowed = pair.second.call('PATCH', `/v1/management-keys/${maker.id}`, {
      body: { permissions: WRITE },
    });
    const [changed, made] = await Promise.all([narrowed, create(maker.key)]);
    expect(changed.status).toBe(200);
    // Whichever came first: never a webhook by a caller that had lost the permission before.
    expect([201, 403]).toContain(made.status);
    expect((await create(maker.key)).status).toBe(403);
  });

  it('a suspended workspace reads its webhooks and changes none', async () => {
    await putWorkspace(pair.first, 'unpaid');
    const { id } = await createWebhook(pair.first, { workspaceId: 'unpaid' });
    const own = await keyOf(FULL, 'unpaid');
    await pair.first.call('POST', '/v1/workspaces/unpaid/suspend');
    expect((await pair.first.call('GET', `/v1/webhooks/${id}`, { as: own })).status).toBe(200);
    expectProblem(await create(own), { status: 403, code: 'WORKSPACE_SUSPENDED' });
    expect((await patch(own, id, { enabled: false })).status).toBe(403);
  });
});
