import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { dumpDatabase, encodingsOf } from '../support/database-dump.ts';
import { launchForTest } from '../support/instance.ts';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey } from '../support/sql-keys.ts';
import { createWebhook, deliveriesOf, queuedTypes, RECEIVER } from '../support/webhook-calls.ts';

describe('webhooks', () => {
  const pair = usePair();

  const get = (id: string) => pair.second.call('GET', `/v1/webhooks/${id}`);
  const patch = (id: string, body: object, headers = {}) =>
    pair.first.call('PATCH', `/v1/webhooks/${id}`, { body, headers });
  const create = (body: object, headers = {}) =>
    pair.first.call('POST', '/v1/webhooks', { body: { url: RECEIVER, ...body }, headers });
  const rotate = (id: string, body: object, headers = {}) =>
    pair.first.call('POST', `/v1/webhooks/${id}/rotate-secret`, { body, headers });

  it('a webhook is for `default` and takes every event unless its creation says otherwise', async () => {
    const { status, body, headers } = await create({});
    expect([status, headers.location]).toEqual([201, `/v1/webhooks/${body.id}`]);
    const { signingSecret, ...shown } = body;
    expect(Buffer.from(signingSecret.replace(/^whsec_/, ''), 'base64')).toHaveLength(32);
    expect(shown).toMatchObject({
      id: expect.stringMatching(/^wh_[0-9A-Za-z]{22}$/),
      ...{ workspaceId: 'default', url: RECEIVER, description: null, eventTypes: null },
      ...{ format: 'event', enabled: true, disabledReason: null, failingSince: null },
      ...{ lastDeliveredAt: null, previousSecretUntil: null, createdBy: { type: 'root' } },
    });
    const read = await get(body.id);
    expect(read.body).toEqual(shown);
    expect(read.headers.etag).toBe(headers.etag);
  });

  it('a change of a webhook counts as a version, and If-Match refuses one of an older version', async () => {
    const { id, etag } = await createWebhook(pair.first);
    const changed = await patch(id, { description: 'Chat' }, { 'if-match': etag });
    expect(changed.body).toMatchObject({ id, description: 'Chat' });
    expect(changed.headers.etag).not.toBe(etag);
    const stale = { 'if-match': etag };
    expect((await patch(id, { description: 'Other' }, stale)).status).toBe(412);
    expect((await rotate(id, { graceSeconds: 0 }, stale)).status).toBe(412);
    const url = `/v1/webhooks/${id}`;
    expect((await pair.first.call('DELETE', url, { headers: stale })).status).toBe(412);
    const same = await patch(id, { description: 'Chat' });
    expect(same.headers.etag).toBe(changed.headers.etag);
    expect((await get(id)).body.description).toBe('Chat');
  });

  it('a repeated creation or rotation with the same Idempotency-Key makes nothing and shows no secret', async () => {
    const again = { 'idempotency-key': 'one-webhook' };
    const [first, second] = [await create({}, again), await create({}, again)];
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect(second.body).toEqual({ ...first.body, signingSecret: null });
    const rotated = { 'idempotency-key': 'one-rotation' };
    const { id } = first.body;
    expect((await rotate(id, { graceSeconds: 60 }, rotated)).body.signingSecret).toMatch(/^whsec_/);
    expect((await rotate(id, { graceSeconds: 60 }, rotated)).body.signingSecret).toBeNull();
  });

  it('a rotation keeps the secret before it until its grace ends, and a second one needs supersede', async () => {
    const { id, signingSecret } = await createWebhook(pair.first);
    const { body } = await rotate(id, { graceSeconds: 60 });
    expect(body.signingSecret).not.toBe(signingSecret);
    const until = Date.parse(body.previousSecretUntil);
    expect(until).toBeGreaterThan(Date.parse(body.createdAt) + 59_000);
    expectProblem(await rotate(id, { graceSeconds: 0 }), {
      status: 409,
      code: 'ROTATION_UNDER_WAY',
    });
    const superseded = await rotate(id, { graceSeconds: 60, supersede: true });
    expect(superseded.body.signingSecret).not.toBe(body.signingSecret);
    pair.advance(61_000);
    expect((await get(id)).body.previousSecretUntil).toBeNull();
    const atOnce = await rotate(id, { graceSeconds: 0 });
    expect(atOnce.body.previousSecretUntil).toBeNull();
  });

  it('a deleted webhook is neither found nor listed, and nothing is queued for it any more', async () => {
    const { id } = await createWebhook(pair.first);
    const url = `/v1/webhooks/${id}`;
    expect((await pair.first.call('DELETE', url)).status).toBe(204);
    for (const [method, path, body] of [
      ...[['GET', ''] as const, ['DELETE', ''] as const, ['GET', '/deliveries'] as const],
      ...[['PATCH', '', {}] as const, ['POST', '/ping'] as const],
      ['POST', '/rotate-secret', { graceSeconds: 0 }] as const,
      ['POST', '/redeliver', { after: '2020-01-01T00:00:00Z' }] as const,
    ]) {
      expect((await pair.second.call(method, url + path, body && { body })).status).toBe(404);
    }
    const { body } = await pair.second.call('GET', '/v1/webhooks?limit=200');
    expect(body.data.map((one: { id: string }) => one.id)).not.toContain(id);
    const database = await dumpDatabase(pair.databaseUrl);
    await createKey(pair.first);
    const count = (dump: string) => dump.split(`"webhook_id":"${id}"`).length;
    expect(count(await dumpDatabase(pair.databaseUrl))).toBeLessThanOrEqual(count(database));
  });

  it('webhooks are listed newest first, page by page, those of one workspace or of all', async () => {
    await putWorkspace(pair.first, 'listed');
    const made = [];
    for (let n = 0; n < 3; n++) made.push((await create({ workspaceId: 'listed' })).body.id);
    const everywhere = (await create({ workspaceId: null })).body.id;
    const ids: string[] = [];
    for (let cursor = ''; ; ) {
      const url = `/v1/webhooks?workspaceId=listed&limit=2${cursor}`;
      const { body } = await pair.second.call('GET', url);
      ids.push(...body.data.map((one: { id: string }) => one.id));
      if (body.nextCursor === null) break;
      cursor = `&cursor=${body.nextCursor}`;
    }
    expect(ids).toEqual(made.reverse());
    const all = await pair.second.call('GET', '/v1/webhooks?workspaceId=*&limit=200');
    const listed = all.body.data.map((one: { id: string }) => one.id);
    expect(listed).toEqual(expect.arrayContaining([...made, everywhere]));
    expect((await pair.second.call('GET', '/v1/webhooks?workspaceId=nowhere')).status).toBe(404);
  });

  it('a workspace has 20 webhooks at most, all workspaces together have 20 of their own, and deleted ones do not count', async () => {
    await putWorkspace(pair.first, 'full');
    const ids = [];
    for (let n = 0; n < 20; n++) ids.push((await create({ workspaceId: 'full' })).body.id);
    const refusal = { status: 409, code: 'WEBHOOK_LIMIT_REACHED' };
    expectProblem(await create({ workspaceId: 'full' }), refusal);
    expect((await create({ workspaceId: null })).status).toBe(201);
    await pair.first.call('DELETE', `/v1/webhooks/${ids[0]}`);
    const burst = await Promise.all([1, 2, 3].map(() => create({ workspaceId: 'full' })));
    expect(burst.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
  });

  it('without KEYWARD_SECRET no signing secret is made, and the error says what to set', async () => {
    const { id } = await createWebhook(pair.first);
    const bare = await launchForTest(pair.databaseUrl, { secret: undefined });
    const refusal = { status: 409, code: 'WEBHOOKS_NEED_SECRET' };
    const body = { url: RECEIVER };
    expectProblem(await bare.call('POST', '/v1/webhooks', { body }), refusal);
    const url = `/v1/webhooks/${id}/rotate-secret`;
    expectProblem(await bare.call('POST', url, { body: { graceSeconds: 0 } }), refusal);
    expect((await bare.call('GET', `/v1/webhooks/${id}`)).status).toBe(200);
  });

  it('a signing secret is in no row, no log line and no later answer, neither in plain text nor encoded', async () => {
    const { id, signingSecret } = await createWebhook(pair.first);
    const { body } = await rotate(id, { graceSeconds: 600 }, { 'idempotency-key': 'sealed' });
    const later = [await get(id), await patch(id, { description: 'Sealed' })];
    const dump = await dumpDatabase(pair.databaseUrl);
    const texts = [dump, ...pair.first.logLines, ...later.map(({ text }) => text)].join('\n');
    for (const secret of [signingSecret, body.signingSecret]) {
      const encoded = secret.replace(/^whsec_/, '');
      const bytes = Buffer.from(encoded, 'base64').toString('hex');
      for (const form of [...encodingsOf(secret), ...encodingsOf(encoded), bytes]) {
        expect(texts.includes(form)).toBe(false);
      }
    }
  });

  it('the audit log says what was changed on a webhook, and of its URL the host alone', async () => {
    const { id } = await createWebhook(pair.first, {
      url: 'https://receiver.invalid/T0/secret-path',
    });
    await patch(id, { url: 'https://other.invalid/T0/secret-path', enabled: false });
    await rotate(id, { graceSeconds: 0 });
    await pair.first.call('DELETE', `/v1/webhooks/${id}`);
    const entries = await auditOf(pair.second, id);
    expect(JSON.stringify(entries)).not.toContain('secret-path');
    expect(entries.reverse()).toMatchObject([
      { action: 'webhook.created', before: null, after: { url: 'https://receiver.invalid/…' } },
      {
        action: 'webhook.updated',
        before: { url: 'https://receiver.invalid/…', enabled: true },
        after: { url: 'https://other.invalid/…', enabled: false },
      },
      { action: 'webhook.secret_rotated', after: { graceSeconds: 0 } },
      { action: 'webhook.deleted', target: { type: 'webhook', id } },
    ]);
  });

  it('the end of a workspace ends its webhooks, and one that is made again has none of them', async () => {
    await putWorkspace(pair.first, 'ended');
    const { id } = await createWebhook(pair.first, { workspaceId: 'ended' });
    const everywhere = await createWebhook(pair.first, { workspaceId: null });
    await pair.first.call('DELETE', '/v1/workspaces/ended');
    expect((await get(id)).status).toBe(404);
    expect((await get(everywhere.id)).status).toBe(200);
    expect(await queuedTypes(pair.second, everywhere.id)).toContain('workspace.deleted');
    expect((await create({ workspaceId: 'ended' })).status).toBe(404);
    await putWorkspace(pair.first, 'ended');
    const list = await pair.second.call('GET', '/v1/webhooks?workspaceId=ended');
    expect(list.body.data).toEqual([]);
    const dump = await dumpDatabase(pair.databaseUrl);
    const row = dump
      .split('\n')
      .find((line) => line.includes(`"id":"${id}"`) && /"url"/.test(line));
    expect(JSON.parse(row ?? '')).toMatchObject({ signing_secret: null, previous_secret: null });
  });

  it('only events of the types that a webhook takes are queued for it, and none while it is disabled', async () => {
    const types = { eventTypes: ['key.created', 'key.revoked'] };
    const { id } = await createWebhook(pair.first, types);
    const key = await createKey(pair.first);
    await pair.first.call('PATCH', `/v1/keys/${key.id}`, { body: { name: 'other' } });
    await pair.first.call('POST', `/v1/keys/${key.id}/revoke`);
    expect(await queuedTypes(pair.second, id)).toEqual(['key.created', 'key.revoked']);
    await patch(id, { enabled: false });
    await createKey(pair.first);
    expect(await deliveriesOf(pair.second, id)).toHaveLength(2);
    await patch(id, { enabled: true, eventTypes: null });
    await createKey(pair.first);
    const queued = await queuedTypes(pair.second, id);
    expect(queued.slice(2)).toEqual(expect.arrayContaining(['key.created']));
    expect(queued.at(-1)).toBe('key.created');
  });

  it('an unknown or repeated event type, an empty list of them and an unknown field are refused', async () => {
    for (const body of [
      { eventTypes: ['key.unknown'] },
      { eventTypes: ['key.created', 'key.created'] },
      { eventTypes: [] },
      { format: 'xml' },
      { signingSecret: 'whsec_AAAA' },
    ]) {
      expect((await create(body)).body.code).toBe('INVALID_REQUEST');
    }
  });

  it('a URL that leads to no public host by what it says is refused in creations and changes', async () => {
    const { id } = await createWebhook(pair.first);
    for (const url of [
      ...['https://127.0.0.1/', 'https://[::1]/', 'https://2130706433/', 'https://0x7f.1/'],
      ...['https://0177.0.0.1/', 'https://169.254.169.254/', 'https://[::ffff:10.0.0.1]/'],
      ...['https://0.0.0.0/', 'https://[64:ff9b::a00:1]/', 'https://10.0.0.1:8443/'],
      ...['http://receiver.invalid/', 'http://8.8.8.8/', 'ftp://receiver.invalid/'],
      ...['https://user@receiver.invalid/', 'https://:word@receiver.invalid/'],
      ...['https://', 'https://exa mple.com/', 'receiver.invalid', ''],
      `https://receiver.invalid/${'x'.repeat(2048)}`,
      `https://receiver.invalid/${'ü'.repeat(700)}`,
    ]) {
      const refusal = { status: 400, code: 'INVALID_REQUEST', pointer: '/body/url' };
      expectProblem(await create({ url }), refusal);
      expectProblem(await patch(id, { url }), refusal);
    }
    expect((await get(id)).body.url).toBe(RECEIVER);
  });

  it('a URL is stored as it is requested: without its fragment, with the host in one notation', async () => {
    const { body } = await create({ url: 'HTTPS://Receiver.INVALID:443/a?b=c#d' });
    expect(body.url).toBe('https://receiver.invalid/a?b=c');
  });

  it('a network of the setting may be sent to, also by http, and its neighbours may not', async () => {
    const open = await launchForTest(pair.databaseUrl, { webhookNetworks: ['10.0.0.0/8'] });
    const statusOf = async (url: string) =>
      (await open.call('POST', '/v1/webhooks', { body: { url, enabled: false } })).status;
    expect(await statusOf('http://10.1.2.3:8080/')).toBe(201);
    expect(await statusOf('https://[::ffff:10.1.2.3]/')).toBe(201);
    expect(await statusOf('http://receiver.invalid/')).toBe(201);
    expect(await statusOf('http://11.1.2.3/')).toBe(400);
    expect(await statusOf('https://192.168.0.1/')).toBe(400);
  });

  it('a key in the URL or the description of a webhook is refused', async () => {
    const { key } = await createKey(pair.first);
    const made = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    for (const found of [key, made.key]) {
      const url = `${RECEIVER}?token=${found}`;
      expect((await create({ url })).body.code).toBe('CONTAINS_KEY');
      expect((await create({ description: found })).body.code).toBe('CONTAINS_KEY');
    }
  });

  it('enabling a webhook, or sending it elsewhere, clears why it was disabled', async () => {
    const { id } = await createWebhook(pair.first);
    const sql = await connect(pair.databaseUrl);
    await sql.query(
      `update webhooks set enabled = false, disabled_reason = 'failing', failing_since = now()
        where id = $1`,
      [id],
    );
    expect((await get(id)).body).toMatchObject({ enabled: false, disabledReason: 'failing' });
    expect((await patch(id, { description: 'Chat' })).body.disabledReason).toBe('failing');
    const renewed = { enabled: true, disabledReason: null, failingSince: null };
    expect((await patch(id, { enabled: true })).body).toMatchObject(renewed);
  });
});
