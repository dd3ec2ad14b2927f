import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { type Collector, startCollector } from '../support/collector.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launchForTest, ROOT_KEY } from '../support/instance.ts';
import { head, listen, RawConnection } from '../support/raw-http.ts';
import { createKey, verify } from '../support/sql-keys.ts';
import { interceptQuery } from '../support/statements.ts';
import { warmKey } from '../support/warm.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const SERVER = 2;
const ERROR = 2;

let database: TestDatabase;
let collector: Collector;
let instance: Instance;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  collector = await startCollector();
  // Read by OpenTelemetry's libraries.
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector.url);
  instance = await launchForTest(database.url, { traces: true });
  vi.unstubAllEnvs();
});

/** The spans of all requests so far, but those that made ready: a stop exports what is left. */
async function spans(name: string) {
  await instance.stop();
  return collector.spans().filter((span) => span.name === name);
}

const traced = (url: string, body: object, flags = '01') =>
  instance.call('POST', url, {
    body,
    headers: { traceparent: `00-${TRACE}-${PARENT}-${flags}` },
  });

it('a request with a traceparent becomes one span, of which the caller’s is the parent', async () => {
  await traced('/v1/verify', { key: 'unknown' });
  const [span, ...others] = await spans('POST /v1/verify');
  expect(others).toEqual([]);
  expect(span).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, kind: SERVER, events: [] });
  expect(span?.attributes).toEqual({
    'http.request.method': 'POST',
    'http.route': '/v1/verify',
    'http.response.status_code': 200,
    'url.scheme': 'http',
  });
});

it('a verification that memory answers before its handler becomes one span like every other', async () => {
  const { key } = await createKey(instance);
  await warmKey(key, instance);
  const before = instance.logLines.filter((line) => line.includes('"/v1/verify"')).length;
  await verify(instance, key);
  const found = await spans('POST /v1/verify');
  expect(found).toHaveLength(before + 1);
  expect(found.at(-1)?.attributes['http.response.status_code']).toBe(200);
});

it('a request without a traceparent begins a trace of its own', async () => {
  await instance.call('GET', '/v1/whoami');
  const [span] = await spans('GET /v1/whoami');
  expect(span?.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(span?.parentSpanId ?? '').toBe('');
});

it('a request whose caller does not sample its trace becomes no span', async () => {
  await traced('/v1/verify', { key: 'unknown' }, '00');
  expect(await spans('POST /v1/verify')).toEqual([]);
});

it('a failure is a span with an error of its code, and without the message', async () => {
  const { key } = await createKey(instance, { credits: { remaining: 9 } });
  interceptQuery(instance.service.internals.database, 'consume_limits', () => {
    throw Object.assign(new Error('a message with a value'), { code: 'P0001' });
  });
  await traced('/v1/verify', { key });
  const [span] = await spans('POST /v1/verify');
  expect(span).toMatchObject({ status: { code: ERROR }, events: [] });
  expect(span?.status.message ?? '').toBe('');
  expect(span?.attributes['error.type']).toBe('INTERNAL');
  expect(collector.received.join()).not.toContain('a message with a value');
});

it('a client that hangs up leaves a span without a status', async () => {
  const gate = Promise.withResolvers<void>();
  const restore = interceptQuery(instance.service.internals.database, 'fence', async (send) => {
    await gate.promise;
    return send();
  });
  const connection = await RawConnection.open(await listen(instance));
  const body = '{"key":"unknown"}';
  const headers = { Authorization: `Bearer ${ROOT_KEY}`, 'Content-Type': 'application/json' };
  const sent = head('POST /v1/verify', { ...headers, 'Content-Length': body.length });
  connection.send(`${sent}${body}`);
  const used = async () => (await instance.call('GET', '/metrics')).text;
  await expect.poll(used).toContain('keyward_bound_used{bound="requests"} 1');
  connection.destroy();
  await expect.poll(used).toContain('keyward_bound_used{bound="connections"} 0');
  gate.resolve();
  restore();
  const [span] = await spans('POST /v1/verify');
  expect(span?.attributes).not.toHaveProperty('http.response.status_code');
});

it('no span, attribute or event contains a key, a path or a query, wherever they are sent', async () => {
  const { key, id } = await createKey(instance);
  const json = { 'content-type': 'application/json' };
  const misused = { traceparent: key, tracestate: `a=${key}`, baggage: `k=${key}`, host: key };
  const headers = { ...misused, 'user-agent': key, 'x-request-id': key };
  await instance.call('GET', `/v1/keys/${id}?query-of=${key}`, { headers });
  await instance.call('GET', `/v1/keys/${key}`, { as: key });
  await instance.call('GET', `/path-of-${key}?${key}`, { headers });
  await instance.call('POST', '/v1/verify', { body: `{"key":"${key}"`, headers: json });
  await instance.call('POST', '/v1/verify', { body: { key, [key]: 1 } });
  const tracestate = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: `a=${key}` };
  await instance.call('POST', '/v1/verify', { body: { key }, headers: tracestate });
  await instance.call('GET', '/v1/authorize', {
    as: null,
    headers: {
      'x-keyward-authorization': `Bearer ${ROOT_KEY}; resource=${key}`,
      authorization: `Bearer ${key}`,
    },
  });
  await instance.stop();
  expect(collector.spans().length).toBeGreaterThanOrEqual(8);
  const exported = collector.received.join();
  for (const secret of [key, key.slice(8), id, ROOT_KEY, 'query-of', 'path-of', 'tracestate'])
    expect(exported).not.toContain(secret);
});

it('a collector that refuses spans costs a line in the log, and neither an answer nor a clean stop', async () => {
  const refusing = await startCollector(400);
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', refusing.url);
  const own = await launchForTest(database.url, { traces: true });
  vi.unstubAllEnvs();
  expect((await own.call('GET', '/v1/whoami')).status).toBe(200);
  expect(await own.service.stop()).toBe(true);
  expect(refusing.received).toHaveLength(1);
  const lines = own.logLines.map((line) => JSON.parse(line));
  const told = lines.filter(({ event }) => event === 'traces.not_exported');
  expect(told).toMatchObject([{ level: 'warn', spans: 1 }]);
});
