import { expect, it, onTestFinished } from 'vitest';
import { connect, createTestDatabase } from '../support/database.ts';
import { launchForTest, type TestSettings } from '../support/instance.ts';
import { startReceiver } from '../support/receiver.ts';
import { addWebhook, createKey, deliver, deliveriesOf } from '../support/sent-webhooks.ts';

const SECOND = 1000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

async function start(settings: TestSettings = {}) {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const sql = await connect(database.url);
  const options = { webhookNetworks: ['127.0.0.1'], ...settings };
  return { sql, instance: await launchForTest(database.url, options) };
}

it('a receiver that answers 410 is not sent to again: its webhook is disabled, which is on the record', async () => {
  const { sql, instance } = await start();
  const receiver = await startReceiver(() => ({ status: 410 }));
  const { id } = await addWebhook(sql, receiver);
  await createKey(instance);
  await createKey(instance);
  await deliver(instance);
  const { rows } = await sql.query('select enabled, disabled_reason from webhooks where id = $1', [
    id,
  ]);
  expect(rows).toEqual([{ enabled: false, disabled_reason: 'gone' }]);
  const asked = receiver.received.length;
  instance.advance(DAY);
  await createKey(instance);
  await deliver(instance);
  expect(receiver.received).toHaveLength(asked);
  expect(await deliveriesOf(sql, id)).toHaveLength(2);
  const log = await instance.call('GET', `/v1/audit-events?targetId=${id}`);
  expect(log.body.data).toMatchObject([
    {
      action: 'webhook.disabled',
      actor: { type: 'system', id: 'webhooks' },
      before: { enabled: true, disabledReason: null },
      after: { enabled: false, disabledReason: 'gone' },
    },
  ]);
});

it('a receiver that answers 410 late does not disable a webhook that was sent elsewhere meanwhile', async () => {
  const { sql, instance } = await start();
  const gate = Promise.withResolvers<void>();
  const former = await startReceiver(() => gate.promise.then(() => ({ status: 410 })));
  const { id } = await addWebhook(sql, former);
  const { deliveries } = instance.service.internals;
  await createKey(instance);
  await deliveries.run();
  await expect.poll(() => former.received.length).toBe(1);
  const { url } = await startReceiver();
  await sql.query('update webhooks set url = $2 where id = $1', [id, url]);
  gate.resolve();
  await deliveries.idle();
  const { rows } = await sql.query('select enabled, failing_since from webhooks where id = $1', [
    id,
  ]);
  expect(rows).toEqual([{ enabled: true, failing_since: null }]);
});

it('a webhook that has failed for five days without a success is disabled with an alert, not an hour before', {
  timeout: 30_000,
}, async () => {
  const { sql, instance } = await start();
  const receiver = await startReceiver(() => ({ status: 500 }));
  const { id } = await addWebhook(sql, receiver);
  const other = await startReceiver();
  await addWebhook(sql, { url: other.url, eventTypes: ['alert.webhook_disabled'] });
  const isEnabled = async () =>
    (await sql.query('select enabled from webhooks where id = $1', [id])).rows[0].enabled;
  await createKey(instance);
  await deliver(instance);
  instance.advance(5 * DAY - HOUR);
  await createKey(instance);
  await deliver(instance);
  expect(await isEnabled()).toBe(true);
  instance.advance(HOUR + SECOND);
  await deliver(instance);
  expect(await isEnabled()).toBe(false);
  await deliver(instance);
  expect(other.received.map(({ event }) => event.type)).toEqual(['alert.webhook_disabled']);
  const { rows } = await sql.query('select type, target_id, workspace_id, ended_at from alerts');
  expect(rows).toEqual([
    { type: 'webhook_disabled', target_id: id, workspace_id: 'default', ended_at: null },
  ]);
});

it('one success begins the five days of failure again', async () => {
  const { sql, instance } = await start();
  let status = 500;
  const receiver = await startReceiver(() => ({ status }));
  const { id } = await addWebhook(sql, receiver);
  const sendOne = async () => {
    await createKey(instance);
    await deliver(instance);
  };
  await sendOne();
  instance.advance(3 * DAY);
  status = 204;
  await sendOne();
  status = 500;
  instance.advance(3 * DAY);
  await sendOne();
  const { rows } = await sql.query('select enabled from webhooks where id = $1', [id]);
  expect(rows).toEqual([{ enabled: true }]);
});

it.each([
  ['a redirect', 'redirected', { status: 307, headers: { location: 'http://127.0.0.1:1/' } }],
  ['a client error', 'status_not_2xx', { status: 404 }],
  ['more than 64 KiB', 'answer_too_large', { status: 200, body: 'x'.repeat(65_537) }],
])('an answer that is %s is a failure: %s', async (_what, error, answer) => {
  const { sql, instance } = await start();
  const receiver = await startReceiver(() => answer);
  const { id } = await addWebhook(sql, receiver);
  await createKey(instance);
  await deliver(instance);
  expect(receiver.received).toHaveLength(1);
  const [delivery] = await deliveriesOf(sql, id);
  expect(delivery).toMatchObject({
    status: 'pending',
    attempts: [{ status: answer.status, error }],
  });
});

it('a webhook whose signing secret another KEYWARD_SECRET has sealed gets nothing, and its events wait', async () => {
  const { sql, instance } = await start();
  const receiver = await startReceiver();
  const sealedWith = 'a secret of another installation, 0123';
  const { id } = await addWebhook(sql, { url: receiver.url, sealedWith });
  await createKey(instance);
  await deliver(instance);
  expect(receiver.connections()).toBe(0);
  const [delivery] = await deliveriesOf(sql, id);
  expect(delivery).toMatchObject({ status: 'pending', attempts: [{ error: 'secret_unreadable' }] });
});

it('an event whose entry is no longer in the log has failed at once', async () => {
  const { sql, instance } = await start();
  const receiver = await startReceiver();
  const { id } = await addWebhook(sql, receiver);
  await createKey(instance);
  await sql.query('update webhook_deliveries set sequence = 999');
  await deliver(instance);
  expect(receiver.connections()).toBe(0);
  const [delivery] = await deliveriesOf(sql, id);
  expect(delivery).toMatchObject({ status: 'failed', attempts: [{ error: 'entry_unreadable' }] });
});

it('no attempt, log line or metric has a signing secret, the URL of a webhook or what a receiver answers', async () => {
  const { sql, instance } = await start();
  const receiver = await startReceiver(() => ({ status: 500, body: 'an answer of the receiver' }));
  const url = `${receiver.url}?token=of-the-receiver`;
  const { id, secret } = await addWebhook(sql, { url });
  await createKey(instance);
  await deliver(instance);
  expect(receiver.received).toHaveLength(1);
  const metrics = (await instance.call('GET', '/metrics')).text;
  expect(metrics).toContain('keyward_webhook_attempts_total{result="status_not_2xx"} 1');
  const rows = JSON.stringify(await deliveriesOf(sql, id));
  for (const text of [metrics, rows, instance.logLines.join('')]) {
    expect(text).not.toContain(secret.slice('whsec_'.length));
    expect(text).not.toContain('of-the-receiver');
    expect(text).not.toContain('an answer of the receiver');
  }
});

it('finished deliveries are deleted once they are older than KEYWARD_DELIVERIES_KEPT_DAYS, and pending ones are kept', async () => {
  const { sql, instance } = await start({ deliveriesKeptDays: 30 });
  const receiver = await startReceiver();
  const { id } = await addWebhook(sql, receiver);
  await createKey(instance);
  await deliver(instance);
  const { orm } = instance.service.internals.database;
  const { deleteOldDeliveries } = await import('../../src/webhooks/sending/old-deliveries.ts');
  const now = instance.service.internals.clock.now();
  await createKey(instance);
  await deleteOldDeliveries(orm, now + 29 * DAY, 30);
  expect(await deliveriesOf(sql, id)).toHaveLength(2);
  await deleteOldDeliveries(orm, now + 31 * DAY, 30);
  expect(await deliveriesOf(sql, id)).toMatchObject([{ status: 'pending' }]);
});
