import { expect, it, onTestFinished } from 'vitest';
import { makeUnblockedDue } from '../../src/webhooks/sending/unblocked.ts';
import { connect, createTestDatabase } from '../support/database.ts';
import { launchForTest, type TestSettings } from '../support/instance.ts';
import { isSignedBy, startReceiver, verifySigned } from '../support/receiver.ts';
import {
  addWebhook,
  createKey,
  deliver,
  deliveriesOf,
  queueEvents,
  renameKey,
  seal,
} from '../support/sent-webhooks.ts';

const SECOND = 1000;
const HOUR = 3_600_000;

async function start(settings: TestSettings = {}) {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const sql = await connect(database.url);
  const options = { webhookNetworks: ['127.0.0.1'], ...settings };
  const launch = () => launchForTest(database.url, options);
  return { sql, launch, instance: await launch() };
}

it('a receiver written with the Standard Webhooks library verifies each event, whose data is the text of its audit entry', async () => {
  const { sql, instance } = await start();
  const receiver = await startReceiver();
  const { secret } = await addWebhook(sql, receiver);
  const key = await createKey(instance);
  await renameKey(instance, key, 'renamed');
  await deliver(instance);
  const { rows } = await sql.query('select payload, hash from audit_events order by sequence');
  const stored = rows.slice(-2);
  expect(receiver.received.map(({ event }) => event.type)).toEqual(['key.created', 'key.updated']);
  for (const [at, received] of receiver.received.entries()) {
    expect(verifySigned(received, secret)).toEqual(received.event);
    const { payload, hash } = stored[at];
    const { time, id, action } = JSON.parse(payload);
    expect(received.body).toBe(
      `{"type":"${action}","timestamp":"${time}","data":${payload},"hash":"${hash}"}`,
    );
    expect(received.headers).toMatchObject({
      'webhook-id': id,
      'content-type': 'application/json',
    });
  }
});

it('a webhook of the format cloudevents gets CloudEvents 1.0 in structured mode, signed as others are', async () => {
  const { sql, instance } = await start();
  const receiver = await startReceiver();
  const { secret } = await addWebhook(sql, { url: receiver.url, format: 'cloudevents' });
  const key = await createKey(instance);
  await deliver(instance);
  const [received] = receiver.received;
  if (!received) throw new Error('an event was received');
  expect(verifySigned(received, secret)).toEqual(received.event);
  expect(received.headers['content-type']).toBe('application/cloudevents+json');
  const { data, ...attributes } = received.event;
  expect(attributes).toEqual({
    specversion: '1.0',
    id: received.headers['webhook-id'],
    source: '/v1/workspaces/default',
    type: 'key.created',
    time: data.time,
    subject: key,
    datacontenttype: 'application/json',
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(data).toMatchObject({ action: 'key.created', target: { type: 'key', id: key } });
});

it('while two signing secrets are valid both sign, and after the grace the new one alone', async () => {
  const { sql, instance } = await start();
  const receiver = await startReceiver();
  const { id, secret } = await addWebhook(sql, receiver);
  const newer = 'whsec_bmV3ZXIgc2VjcmV0IG9mIGEgd2ViaG9vay4uLi4uLi4=';
  await sql.query(
    `update webhooks set previous_secret = signing_secret, signing_secret = $1,
                         previous_secret_until = now() + interval '1 hour'`,
    [seal(id, newer)],
  );
  await createKey(instance);
  await deliver(instance);
  instance.advance(HOUR + SECOND);
  await createKey(instance);
  await deliver(instance);
  const [during, after] = receiver.received;
  if (!during || !after) throw new Error('two events were received');
  expect(verifySigned(during, secret)).toEqual(during.event);
  expect(verifySigned(during, newer)).toEqual(during.event);
  expect(isSignedBy(after, newer)).toBe(true);
  expect(isSignedBy(after, secret)).toBe(false);
});

it('an event that is refused is sent again by the schedule of Standard Webhooks, and has failed after ten attempts', async () => {
  const { sql, instance } = await start();
  const receiver = await startReceiver(() => ({ status: 500 }));
  const { id } = await addWebhook(sql, receiver);
  await createKey(instance);
  await deliver(instance);
  const delays = [5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600];
  for (const [made, seconds] of delays.entries()) {
    instance.advance(seconds * SECOND - SECOND);
    await deliver(instance);
    expect(receiver.received).toHaveLength(made + 1);
    instance.advance(SECOND);
    await deliver(instance);
    expect(receiver.received).toHaveLength(made + 2);
  }
  instance.advance(48 * HOUR);
  await deliver(instance);
  expect(receiver.received).toHaveLength(10);
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  const [delivery] = await deliveriesOf(sql, id);
  expect(delivery).toMatchObject({ status: 'failed', due_at: null, leased_until: null });
  expect(delivery.attempts).toHaveLength(10);
  expect(delivery.attempts[0]).toEqual({
    at: expect.stringMatching(/^\d{4}-/),
    status: 500,
    error: 'status_not_2xx',
    durationMs: expect.any(Number),
  });
});

it('a receiver that fails for a day gets every event afterwards, and those of a key in their order', {
  timeout: 120_000,
}, async () => {
  const { sql, instance } = await start();
  let isDown = true;
  const receiver = await startReceiver(() => ({ status: isDown ? 503 : 200 }));
  const { id } = await addWebhook(sql, receiver);
  const keys = [await createKey(instance), await createKey(instance), await createKey(instance)];
  for (let hour = 0; hour < 24; hour++) {
    for (const key of keys) await renameKey(instance, key, `name of hour ${hour}`);
    instance.advance(HOUR);
    await deliver(instance);
  }
  isDown = false;
  const failed = receiver.received.length;
  for (let hour = 0; hour < 24; hour++) {
    instance.advance(HOUR);
    await deliver(instance);
  }
  const delivered = receiver.received.slice(failed).map(({ event }) => event.data);
  for (const key of keys) {
    const own = delivered.filter(({ target }) => target.id === key);
    expect(
      own.map(({ action, after }) => (action === 'key.created' ? action : after.name)),
    ).toEqual(['key.created', ...Array.from({ length: 24 }, (_, hour) => `name of hour ${hour}`)]);
  }
  const rows = await deliveriesOf(sql, id);
  expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['delivered']));
});

it('what happens to a key while an event of it waits for its next attempt is due no sooner, and at once when nothing waits before it', async () => {
  const { sql, instance } = await start();
  const statuses = [500];
  const receiver = await startReceiver(async () => ({ status: statuses.pop() ?? 204 }));
  const { id } = await addWebhook(sql, receiver);
  const key = await createKey(instance);
  await deliver(instance);
  await renameKey(instance, key, 'renamed');
  const [first, second] = await deliveriesOf(sql, id);
  expect(second.due_at).toEqual(first.due_at);
  // As if it had been queued in the moment in which the first one was delivered.
  const over = "status = 'delivered', due_at = null, finished_at = now()";
  await sql.query(`update webhook_deliveries set ${over} where event_type = 'key.created'`);
  const { database, clock } = instance.service.internals;
  await makeUnblockedDue(database.orm, clock.now());
  await deliver(instance);
  expect(receiver.received.map(({ event }) => event.type)).toEqual(['key.created', 'key.updated']);
});

it('two instances never send an event at the same time, nor twice when nothing fails, and keep the order of each key', {
  timeout: 120_000,
}, async () => {
  const { sql, launch, instance } = await start();
  const other = await launch();
  const underWay = new Set<unknown>();
  let overlaps = 0;
  const receiver = await startReceiver(async ({ event }) => {
    const { id } = event.data.target;
    if (underWay.has(id)) overlaps++;
    underWay.add(id);
    await new Promise((done) => setImmediate(done));
    underWay.delete(id);
    return { status: 204 };
  });
  await addWebhook(sql, receiver);
  const keys: string[] = [];
  for (let made = 0; made < 20; made++) keys.push(await createKey(instance));
  for (let change = 0; change < 5; change++)
    for (const key of keys) await renameKey(instance, key, `change ${change}`);
  await Promise.all([deliver(instance), deliver(other), deliver(instance), deliver(other)]);
  expect(overlaps).toBe(0);
  const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
  expect(ids).toHaveLength(120);
  expect(new Set(ids).size).toBe(120);
  for (const key of keys) {
    const own = receiver.received.filter(({ event }) => event.data.target.id === key);
    const sequences = own.map(({ event }) => event.data.sequence);
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  }
});

it('with 10,000 events waiting for a receiver that hangs, one whose answers are quick gets all of its own', {
  timeout: 120_000,
}, async () => {
  const { sql, instance } = await start({ shutdownSeconds: 1 });
  await createKey(instance);
  const hanging = await startReceiver(() => new Promise(() => undefined));
  const quick = await startReceiver();
  for (const { url, count } of [
    { url: hanging.url, count: 10_000 },
    { url: quick.url, count: 300 },
  ]) {
    const { id } = await addWebhook(sql, { url });
    await queueEvents(sql, id, count);
  }
  await instance.service.internals.deliveries.run();
  await expect.poll(() => quick.received.length, { timeout: 60_000 }).toBe(300);
  // Four at first; once these have failed, one at a time.
  expect(hanging.connections()).toBeLessThanOrEqual(8);
});

it('twelve receivers that hang delay no other for longer than an attempt may take to be called slow', async () => {
  const { sql, instance } = await start({ shutdownSeconds: 1 });
  await createKey(instance);
  const hanging = await startReceiver(() => new Promise(() => undefined));
  const quick = await startReceiver();
  for (let each = 0; each < 12; each++) {
    const { id } = await addWebhook(sql, hanging);
    await queueEvents(sql, id, 20);
  }
  const { deliveries } = instance.service.internals;
  await deliveries.run();
  await expect.poll(hanging.connections, { timeout: 5000 }).toBe(24);
  const { id } = await addWebhook(sql, quick);
  await queueEvents(sql, id, 100);
  await deliveries.run();
  await expect.poll(() => quick.received.length, { timeout: 6000 }).toBe(100);
});

it('a stop ends the attempts under way and their leases, and another instance sends the events', async () => {
  const { sql, launch, instance } = await start({ shutdownSeconds: 1 });
  let isHanging = true;
  const receiver = await startReceiver(() =>
    isHanging ? new Promise(() => undefined) : { status: 204 },
  );
  const { id } = await addWebhook(sql, receiver);
  await createKey(instance);
  await instance.service.internals.deliveries.run();
  await expect.poll(() => receiver.received.length).toBe(1);
  expect(await instance.service.stop()).toBe(true);
  expect(await deliveriesOf(sql, id)).toMatchObject([
    { status: 'pending', leased_until: null, attempts: [] },
  ]);
  isHanging = false;
  await deliver(await launch());
  expect(await deliveriesOf(sql, id)).toMatchObject([{ status: 'delivered' }]);
});

it('an event whose instance is gone is sent by another one once its lease has ended', async () => {
  const { sql, instance } = await start();
  const receiver = await startReceiver();
  await addWebhook(sql, receiver);
  await createKey(instance);
  await sql.query(`update webhook_deliveries set leased_until = now() + interval '1 minute'`);
  await deliver(instance);
  expect(receiver.received).toHaveLength(0);
  instance.advance(61 * SECOND);
  await deliver(instance);
  expect(receiver.received).toHaveLength(1);
});

it('a test event and an event that is sent again arrive signed, through the same queue', async () => {
  const { instance } = await start();
  const receiver = await startReceiver();
  const body = { url: receiver.url, eventTypes: ['key.created'] };
  const { id, signingSecret } = (await instance.call('POST', '/v1/webhooks', { body })).body;
  expect((await instance.call('POST', `/v1/webhooks/${id}/ping`)).status).toBe(202);
  await createKey(instance);
  await deliver(instance);
  const list = await instance.call('GET', `/v1/webhooks/${id}/deliveries`);
  const deliveries: { id: string; eventType: string; status: string }[] = list.body.data;
  expect(deliveries.map(({ status }) => status)).toEqual(['delivered', 'delivered']);
  const created = deliveries.find(({ eventType }) => eventType === 'key.created');
  const again = { body: { deliveryId: created?.id } };
  expect((await instance.call('POST', `/v1/webhooks/${id}/redeliver`, again)).status).toBe(202);
  await deliver(instance);
  for (const one of receiver.received) expect(verifySigned(one, signingSecret)).toEqual(one.event);
  const types = receiver.received.map(({ event }) => event.type);
  expect(types.toSorted()).toEqual(['key.created', 'key.created', 'webhook.ping']);
  const ping = receiver.received.find(({ event }) => event.type === 'webhook.ping');
  expect(ping?.event).toMatchObject({ data: { target: { type: 'webhook', id } }, hash: null });
});
