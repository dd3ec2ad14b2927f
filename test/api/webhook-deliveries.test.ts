import { beforeEach, describe, expect, it } from 'vitest';
import { deleteDeliveriesOfEnded } from '../../src/webhooks/deliveries/store.ts';
import { tamper } from '../support/audit-log.ts';
import { connect, ormOf } from '../support/database.ts';
import { auditOf, putWorkspace, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey } from '../support/sql-keys.ts';
import { createWebhook, deliveriesOf, queuedTypes } from '../support/webhook-calls.ts';

const LONG_AGO = '2020-01-01T00:00:00Z';

describe('the deliveries of a webhook', () => {
  const pair = usePair();
  let workspaceId: string;
  let count = 0;

  beforeEach(async () => {
    workspaceId = `deliveries-${++count}`;
    await putWorkspace(pair.first, workspaceId);
  });

  const webhook = (body: object = {}) => createWebhook(pair.first, { workspaceId, ...body });
  const ping = (id: string) => pair.first.call('POST', `/v1/webhooks/${id}/ping`);
  const redeliver = (id: string, body: object) =>
    pair.first.call('POST', `/v1/webhooks/${id}/redeliver`, { body });
  /** As if each had been sent. */
  const finish = async (id: string) => {
    const sql = await connect(pair.databaseUrl);
    await sql.query(
      `update webhook_deliveries
          set status = 'delivered', due_at = null, finished_at = now(),
              attempts = '[{"at": "2026-01-31T12:00:00.000Z", "status": 204, "durationMs": 7, "error": null}]'
        where webhook_id = $1`,
      [id],
    );
  };

  it('each event of a change is one delivery that waits, in the order of the changes', async () => {
    const { id } = await webhook();
    const key = await createKey(pair.first, { workspaceId });
    await pair.second.call('PATCH', `/v1/keys/${key.id}`, { body: { name: 'renamed' } });
    await pair.first.call('POST', `/v1/keys/${key.id}/revoke`);
    expect((await queuedTypes(pair.second, id)).slice(1)).toEqual([
      'key.created',
      'key.updated',
      'key.revoked',
    ]);
    const [newest] = await deliveriesOf(pair.second, id);
    const [entry] = await auditOf(pair.first, key.id, workspaceId);
    expect(newest).toMatchObject({
      ...{ webhookId: id, eventId: entry.id, workspaceId, status: 'pending', finishedAt: null },
      nextAttemptAt: expect.stringMatching(/Z$/),
    });
  });

  it('an event asks for the webhooks of its workspace alone, however many others have', async () => {
    const { id } = await webhook();
    await putWorkspace(pair.first, 'of-others');
    const sql = await connect(pair.databaseUrl);
    await sql.query('begin');
    await sql.query(
      `insert into webhooks
       select (jsonb_populate_record(one, jsonb_build_object('id', 'wh_' || n, 'workspace_id', 'of-others'))).*
         from webhooks one, generate_series(1, 1000) n where one.id = $1`,
      [id],
    );
    const read = async () => {
      const { rows } = await sql.query(
        `select seq_tup_read + idx_tup_fetch as count from pg_stat_xact_user_tables where relname = 'webhooks'`,
      );
      return Number(rows[0]?.count);
    };
    const before = await read();
    await sql.query(
      `insert into audit_events (workspace_id, sequence, payload, hash)
       select workspace_id, sequence + n, payload, hash
         from (select * from audit_events where workspace_id = $1 order by sequence desc limit 1) newest,
              generate_series(1, 100) n`,
      [workspaceId],
    );
    expect((await read()) - before).toBeLessThan(500);
    const queued = 'select count(*)::integer from webhook_deliveries where webhook_id = $1';
    const { rows } = await sql.query(queued, [id]);
    expect(rows[0]?.count).toBeGreaterThanOrEqual(100);
    await sql.query('rollback');
  });

  it('a change that is refused or rolled back leaves no delivery', async () => {
    const { id } = await webhook({ eventTypes: ['key.created'] });
    const body = { name: 'a key', workspaceId, prefix: 'not valid' };
    expect((await pair.first.call('POST', '/v1/keys', { body })).status).toBe(400);
    await pair.first.call('PATCH', `/v1/workspaces/${workspaceId}`, { body: { maxKeys: 1 } });
    await createKey(pair.first, { workspaceId });
    const second = await pair.first.call('POST', '/v1/keys', { body: { name: 'b', workspaceId } });
    expect(second.status).toBe(409);
    expect(await deliveriesOf(pair.second, id)).toHaveLength(1);
  });

  it('deliveries are listed page by page and by status and event type, with every attempt', async () => {
    const { id } = await webhook({ eventTypes: ['key.created', 'key.revoked'] });
    for (let n = 0; n < 3; n++) await createKey(pair.first, { workspaceId });
    await finish(id);
    const { id: keyId } = await createKey(pair.first, { workspaceId });
    await pair.first.call('POST', `/v1/keys/${keyId}/revoke`);
    const delivered = await deliveriesOf(pair.second, id, '?status=delivered');
    expect(delivered).toHaveLength(3);
    const attempt = { at: '2026-01-31T12:00:00.000Z', status: 204, durationMs: 7, error: null };
    expect(delivered[0]).toMatchObject({ nextAttemptAt: null, attempts: [attempt] });
    expect(await deliveriesOf(pair.second, id, '?eventType=key.revoked')).toHaveLength(1);
    const seen: string[] = [];
    for (let cursor = ''; ; ) {
      const url = `/v1/webhooks/${id}/deliveries?limit=2${cursor}`;
      const { body } = await pair.second.call('GET', url);
      seen.push(...body.data.map((one: { id: string }) => one.id));
      if (body.nextCursor === null) break;
      cursor = `&cursor=${body.nextCursor}`;
    }
    const all: { id: string }[] = await deliveriesOf(pair.second, id, '?limit=200');
    expect(seen).toEqual(all.map((one) => one.id));
    expect(new Set(seen).size).toBe(5);
  });

  it('a cursor of the deliveries of one webhook is refused by those of another', async () => {
    const [one, other] = [await webhook(), await webhook()];
    await createKey(pair.first, { workspaceId });
    const page = await pair.first.call('GET', `/v1/webhooks/${one.id}/deliveries?limit=1`);
    const query = `?limit=1&cursor=${page.body.nextCursor}`;
    const { body } = await pair.first.call('GET', `/v1/webhooks/${other.id}/deliveries${query}`);
    expect(body.code).toBe('INVALID_CURSOR');
  });

  it('a test event is queued whatever types the webhook takes, and is on record', async () => {
    const { id } = await webhook({ eventTypes: ['key.revoked'] });
    const { status, body } = await ping(id);
    expect(status).toBe(202);
    expect(body).toMatchObject({
      ...{ webhookId: id, eventType: 'webhook.ping', workspaceId: null, status: 'pending' },
      eventId: expect.stringMatching(/^evt_/),
    });
    expect(await queuedTypes(pair.second, id)).toEqual(['webhook.ping']);
    const [entry] = await auditOf(pair.first, id, workspaceId);
    expect(entry).toMatchObject({ action: 'webhook.pinged', after: { eventId: body.eventId } });
  });

  it('a second test event waits in no queue behind the first: the first is due now', async () => {
    const { id } = await webhook({ eventTypes: ['key.revoked'] });
    const first = await ping(id);
    pair.advance(60_000);
    const second = await ping(id);
    expect(second.body.id).toBe(first.body.id);
    const due = (answer: typeof first) => Date.parse(answer.body.nextAttemptAt);
    expect(due(second)).toBeGreaterThan(due(first) + 59_000);
    await finish(id);
    expect((await ping(id)).body.id).not.toBe(first.body.id);
  });

  it('a disabled webhook takes neither a test event nor a redelivery', async () => {
    const { id } = await webhook({ enabled: false });
    const refusal = { status: 409, code: 'WEBHOOK_DISABLED' };
    expectProblem(await ping(id), refusal);
    expectProblem(await redeliver(id, { after: LONG_AGO }), refusal);
  });

  it('a redelivery without a body is refused, as it names neither a delivery nor a time', async () => {
    const { id } = await webhook();
    const answer = await pair.first.call('POST', `/v1/webhooks/${id}/redeliver`);
    expectProblem(answer, { status: 400, code: 'INVALID_REQUEST', pointer: '/body' });
  });

  it('a delivery that is over is sent again as another delivery of the same event', async () => {
    const { id } = await webhook({ eventTypes: ['key.created'] });
    await createKey(pair.first, { workspaceId });
    await finish(id);
    const [old] = await deliveriesOf(pair.second, id);
    const { status, body } = await redeliver(id, { deliveryId: old.id });
    expect([status, body]).toEqual([202, { queued: 1 }]);
    const [again, before] = await deliveriesOf(pair.second, id);
    expect(before).toEqual(old);
    expect(again).toMatchObject({ eventId: old.eventId, eventType: 'key.created', workspaceId });
    expect(again).toMatchObject({ status: 'pending' });
    expect(again.id).not.toBe(old.id);
  });

  it('a delivery that waits is not queued twice by a redelivery, and its next attempt is now', async () => {
    const { id } = await webhook({ eventTypes: ['key.created'] });
    await createKey(pair.first, { workspaceId });
    const sql = await connect(pair.databaseUrl);
    const later = `update webhook_deliveries set due_at = now() + interval '20 hours' where webhook_id = $1`;
    await sql.query(later, [id]);
    const [waiting] = await deliveriesOf(pair.second, id);
    expect((await redeliver(id, { deliveryId: waiting.id })).body).toEqual({ queued: 0 });
    const all = await deliveriesOf(pair.second, id);
    expect(all).toHaveLength(1);
    const hours =
      (Date.parse(waiting.nextAttemptAt) - Date.parse(all[0].nextAttemptAt)) / 3_600_000;
    expect(hours).toBeGreaterThan(18);
  });

  it('a redelivery of a range brings what the webhook takes and was not sent while it was disabled, in order', async () => {
    const { id } = await webhook({ eventTypes: ['key.created', 'key.revoked'] });
    await pair.first.call('PATCH', `/v1/webhooks/${id}`, { body: { enabled: false } });
    const keys = [await createKey(pair.first, { workspaceId })];
    keys.push(await createKey(pair.first, { workspaceId }));
    for (const key of keys) await pair.first.call('POST', `/v1/keys/${key.id}/revoke`);
    await pair.first.call('PATCH', `/v1/webhooks/${id}`, { body: { enabled: true } });
    expect((await redeliver(id, { after: LONG_AGO })).body).toEqual({ queued: 4 });
    expect(await queuedTypes(pair.second, id)).toEqual([
      ...['key.created', 'key.created', 'key.revoked', 'key.revoked'],
    ]);
    expect((await redeliver(id, { after: LONG_AGO })).body).toEqual({ queued: 0 });
    await finish(id);
    expect((await redeliver(id, { after: LONG_AGO })).body).toEqual({ queued: 4 });
    const [entry] = await auditOf(pair.first, id, workspaceId);
    expect(entry).toMatchObject({ action: 'webhook.redelivered', after: { queued: 4 } });
  });

  it('a range ends before its end and begins with its beginning, in any time zone', async () => {
    const { id } = await webhook({ eventTypes: ['key.created'] });
    const key = await createKey(pair.first, { workspaceId });
    await finish(id);
    const [{ time }] = await auditOf(pair.first, key.id, workspaceId);
    const inParis = `${new Date(Date.parse(time) + 3_600_000).toISOString().slice(0, -1)}+01:00`;
    expect((await redeliver(id, { after: LONG_AGO, before: inParis })).body.queued).toBe(0);
    const after = new Date(Date.parse(time) + 1).toISOString();
    expect((await redeliver(id, { after })).body.queued).toBe(0);
    expect((await redeliver(id, { after: inParis })).body.queued).toBe(1);
  });

  it('a webhook for all workspaces is sent a range of all logs', async () => {
    const { id } = await createWebhook(pair.first, {
      ...{ workspaceId: null, eventTypes: ['workspace.suspended'] },
    });
    for (const other of ['range-a', 'range-b']) {
      await putWorkspace(pair.first, other);
      await pair.first.call('POST', `/v1/workspaces/${other}/suspend`);
    }
    await finish(id);
    expect((await redeliver(id, { after: LONG_AGO })).body.queued).toBe(2);
  });

  it('more than 10,000 events are refused at once, and then none is queued', async () => {
    const { id } = await webhook({ eventTypes: ['key.updated'] });
    const sql = await connect(pair.databaseUrl);
    await tamper(
      sql,
      `insert into audit_events (workspace_id, sequence, payload, hash)
       select $1, (select max(sequence) from audit_events where workspace_id = $1) + n, json_build_object('id', 'evt_many' || n, 'action', 'key.updated',
                'time', '2026-01-31T12:00:00.000Z', 'target', json_build_object('id', 'key_' || n % 9)), 'x' || n
         from generate_series(1, 10001) n`,
      [workspaceId],
    );
    const refusal = { status: 409, code: 'TOO_MANY_EVENTS' };
    expectProblem(await redeliver(id, { after: LONG_AGO }), refusal);
    expect(await deliveriesOf(pair.second, id)).toEqual([]);
    // They are shorter than what the service writes.
    await tamper(sql, `delete from audit_events where workspace_id = $1 and hash like 'x%'`, [
      workspaceId,
    ]);
  });

  it('a redelivery names either a delivery or a range, and only a delivery that exists', async () => {
    const { id } = await webhook();
    const deliveryId = '0198c5b2-8f0e-4d3a-9a51-7c2f6f3d9e10';
    const bodies = [{}, { deliveryId, after: LONG_AGO }, { before: LONG_AGO }];
    for (const body of [...bodies, { deliveryId, before: LONG_AGO }, { deliveryId: 'one' }]) {
      expect((await redeliver(id, body)).body.code).toBe('INVALID_REQUEST');
    }
    expectProblem(await redeliver(id, { deliveryId }), { status: 404, code: 'NOT_FOUND' });
  });

  it('an event that retention has removed from the audit log is not sent again', async () => {
    const { id } = await webhook({ eventTypes: ['key.created'] });
    await createKey(pair.first, { workspaceId });
    await finish(id);
    const sql = await connect(pair.databaseUrl);
    await sql.query('update webhook_deliveries set sequence = 999999 where webhook_id = $1', [id]);
    const [old] = await deliveriesOf(pair.second, id);
    expectProblem(await redeliver(id, { deliveryId: old.id }), { status: 404, code: 'NOT_FOUND' });
  });

  it('what waited for a deleted webhook is deleted, in bounded steps, and nothing of another', async () => {
    const [gone, other] = [await webhook(), await webhook()];
    await createKey(pair.first, { workspaceId });
    await pair.first.call('DELETE', `/v1/webhooks/${gone.id}`);
    const sql = await connect(pair.databaseUrl);
    const countOf = async (id: string) => {
      const text = 'select count(*)::int as n from webhook_deliveries where webhook_id = $1';
      return (await sql.query(text, [id])).rows[0].n;
    };
    await sql.query(
      `insert into webhook_deliveries (webhook_id, event_id, event_type, subject)
       select $1, 'evt_' || n, 'key.created', '' from generate_series(1, 6000) n`,
      [gone.id],
    );
    const [before, kept] = [await countOf(gone.id), await countOf(other.id)];
    await deleteDeliveriesOfEnded(ormOf(sql));
    expect(await countOf(gone.id)).toBe(before - 5000);
    await deleteDeliveriesOfEnded(ormOf(sql));
    expect(await countOf(gone.id)).toBe(0);
    expect(await countOf(other.id)).toBe(kept);
  });
});
