import { beforeAll, describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/errors.ts';
import { insertAlert } from '../support/alerts.ts';
import { connect } from '../support/database.ts';
import {
  type DescribedCall,
  describedCalls,
  exampleOf,
  fieldsOf,
  leastBody,
} from '../support/described-calls.ts';
import { type Answer, ROOT_KEY } from '../support/instance.ts';
import { MUTATING_CALLS } from '../support/mutating-calls.ts';
import { createManagementKey, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';
import { nestedJson, unacceptableValues } from '../support/unacceptable.ts';
import { createWebhook } from '../support/webhook-calls.ts';

/** Lists whose items are answered one by one. */
const LISTS = new Set(['keys', 'requests', 'ids']);
/** Not asked by gateways, from one header alone, and not the reports that are answered alike whatever they hold. */
const isOfClients = ({ path }: DescribedCall) => !/^\/v1\/(authorize|leaks)/.test(path);

describe('every call refuses what it does not understand', () => {
  const pair = usePair();
  let calls: DescribedCall[];
  let ids: Record<string, string>;
  let key: { id: string; key: string };

  beforeAll(async () => {
    calls = (await describedCalls(pair.first)).filter(isOfClients);
    key = await createKey(pair.first, { credits: { remaining: 5 } });
    const management = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    const webhook = await createWebhook(pair.first);
    const alertId = await insertAlert(pair.first, 'default', key.id);
    const own = { keys: key.id, 'management-keys': management.id };
    ids = { ...own, webhooks: webhook.id, workspaces: 'default', alerts: alertId };
  });

  interface Request {
    id?: string;
    query?: string;
    headers?: Record<string, string>;
    payload?: string | Buffer;
  }
  /** With a body that is right, unless the request says otherwise. */
  const send = async (call: DescribedCall, given: Request): Promise<Answer> => {
    const request = call.body ? { payload: JSON.stringify(leastBody(call.body)), ...given } : given;
    const id = request.id ?? ids[call.path.split('/')[2] ?? ''] ?? '';
    const response = await pair.first.service.app.inject({
      method: call.method as 'GET',
      url: call.path.replace('{id}', id) + (request.query ?? ''),
      headers: {
        authorization: `Bearer ${call.isManaged ? ROOT_KEY : key.key}`,
        ...(request.payload !== undefined && { 'content-type': 'application/json' }),
        ...request.headers,
      },
      ...(request.payload !== undefined && { payload: request.payload }),
    });
    const { statusCode: status, headers, body: text } = response;
    return { status, headers, text, body: text === '' ? null : JSON.parse(text) };
  };

  /** A problem with a stable code that points to the place, whatever the mistake. */
  async function expectRefused(
    call: DescribedCall,
    request: Request,
    pointer: string,
    statuses: readonly number[] = [400],
  ) {
    const { status, headers, body } = await send(call, request);
    const what = `${call.id} ${JSON.stringify(request).slice(0, 300)}`;
    expect(statuses, `${what}: ${status} ${JSON.stringify(body)}`).toContain(status);
    expect(headers['content-type'], what).toBe('application/problem+json; charset=utf-8');
    expect(Object.keys(ERRORS), what).toContain(body.code);
    expect(body, what).toMatchObject({ status, requestId: headers['x-request-id'] });
    if (pointer === '') return;
    const pointers = body.errors.map((it: { pointer: string }) => it.pointer);
    expect(pointers.join(' '), what).toMatch(new RegExp(`(^| )${pointer}(/| |$)`));
  }

  const withBody = () => calls.flatMap(({ body, ...call }) => (body ? [{ ...call, body }] : []));
  const withoutBody = () => calls.filter(({ body }) => body === null);
  const textOf = (object: object, name: string, value: string) =>
    JSON.stringify({ ...object, [name]: 'VALUE' }).replace('"VALUE"', () => value);

  it('no field of any body takes a value of another type, beyond its bounds, or nested without end', async () => {
    for (const call of withBody()) {
      for (const [name, field] of fieldsOf(call.body)) {
        const values = LISTS.has(name) ? ['null', '7', '{}', '[]'] : unacceptableValues(field);
        for (const value of values) {
          const payload = textOf(leastBody(call.body), name, value);
          await expectRefused(call, { payload }, `/body/${name}`);
        }
      }
    }
  });

  it('no body has a field that its call does not describe, or a name that JavaScript gives a meaning', async () => {
    for (const call of withBody()) {
      for (const name of ['unheardOf', '__proto__', 'constructor', 'toString', 'id ', '\ud800']) {
        const least = JSON.stringify(leastBody(call.body)).slice(0, -1);
        const payload = `${least}${least === '{' ? '' : ','}${JSON.stringify(name)}:${nestedJson(2)}}`;
        const pointer = /^\w+$/.test(name) ? `/body/${name}` : '/body';
        await expectRefused(call, { payload }, pointer);
      }
    }
  });

  it('no body is anything but one JSON object in UTF-8, or empty where a call needs none', async () => {
    for (const call of withBody()) {
      for (const payload of ['null', '7', '"text"', '[]', '[{}]', 'true', nestedJson(5000)]) {
        await expectRefused(call, { payload }, '/body');
      }
      const broken = [Buffer.from([0x7b, 0xff, 0x7d]), Buffer.from('{}', 'utf16le')];
      const empty = call.body?.required?.length ? [''] : [];
      for (const payload of [
        ...empty,
        '{',
        '{}{}',
        "{'a':1}",
        '{"a":NaN}',
        'x'.repeat(99),
        ...broken,
      ]) {
        await expectRefused(call, { payload }, '');
      }
      const json = JSON.stringify(leastBody(call.body));
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml']) {
        await expectRefused(call, { payload: json, headers: { 'content-type': type } }, '', [415]);
      }
      const zipped = { 'content-encoding': 'gzip' };
      await expectRefused(call, { payload: json, headers: zipped }, '', [415]);
      await expectRefused(call, { payload: `{"a":"${'x'.repeat(5e6)}"}` }, '', [413]);
    }
  });

  it('a call that takes no body takes none', async () => {
    for (const call of withoutBody()) {
      for (const payload of ['{"unheardOf":1}', '[1]', '7', '"x"']) {
        await expectRefused(call, { payload }, '/body');
      }
    }
  });

  it('a gateway may pass on the body, the query and the path of its client, which are not looked at', async () => {
    const permissions = ['keys:verify'] as const;
    const gateway = await createManagementKey(pair.first, { permissions, workspaceId: 'default' });
    const response = await pair.first.service.app.inject({
      method: 'GET',
      url: '/v1/authorize/%zz?x=%ff',
      headers: { 'x-keyward-authorization': `Bearer ${gateway.key}`, 'x-api-key': key.key },
      payload: 'not JSON',
    });
    expect(response.statusCode, response.body).toBe(200);
  });

  it('no query has a parameter that its call does not describe, one twice, or one that is not text', async () => {
    for (const call of calls) {
      for (const query of ['?unheardOf=1', '?unheardOf', '?__proto__=1', '?a[b]=c', '?Limit=5']) {
        await expectRefused(call, { query }, '/query');
      }
      for (const { name, schema } of call.query) {
        const value = encodeURIComponent(String(exampleOf(schema)));
        const isList = schema.type === 'array';
        const twice = isList ? `${name}=x&${name}=y` : `${name}=${value}&${name}=${value}`;
        await expectRefused(call, { query: `?${twice}` }, `/query/${name}`);
        for (const malformed of ['%', '%zz', '%ff', '%ed%a0%80']) {
          await expectRefused(call, { query: `?${name}=${malformed}` }, '/query');
        }
        await expectRefused(call, { query: `?${name}=%00` }, `/query/${name}`);
      }
    }
  });

  it('no query takes a value beyond its bounds', async () => {
    for (const call of calls) {
      for (const { name, schema } of call.query.filter((it) => it.schema.type !== 'array')) {
        const texts = unacceptableValues(schema)
          .map((value) => JSON.parse(value))
          .filter((value) => typeof value === 'string' || typeof value === 'number')
          .filter((value) => schema.type === 'integer' || typeof value === 'string')
          .map((value) => String(value))
          .filter((value) => value.isWellFormed());
        for (const text of texts.filter((it) => !(schema.type === 'string' && it === 'text'))) {
          const query = `?${name}=${encodeURIComponent(text)}`;
          await expectRefused(call, { query }, `/query/${name}`);
        }
      }
    }
  });

  it('no path has an id of another form', async () => {
    for (const call of calls.filter(({ path }) => path.includes('{id}'))) {
      for (const id of ['%00', 'a b'.replace(' ', '%20'), '%C3%A9', 'x'.repeat(65), 'a%2Fb']) {
        await expectRefused(call, { id }, '/path/id');
      }
      for (const id of ['x'.repeat(200), '%', '%zz', '%ff']) {
        await expectRefused(call, { id }, '/path');
      }
    }
  });

  it('no header that is read takes a value of another form', async () => {
    const long = 'x'.repeat(300);
    const changing = calls.filter(({ id, isManaged }) => isManaged && id in MUTATING_CALLS);
    for (const call of changing) {
      for (const [name, value] of [
        ['idempotency-key', ''],
        ['idempotency-key', long],
        ['idempotency-key', 'caf\u00e9'],
        ['keyward-actor', long],
        ['keyward-actor', 'a\tb'],
      ] as const) {
        await expectRefused(call, { headers: { [name]: value } }, `/headers/${name}`);
      }
    }
  });

  it('none of these refusals has changed anything', async () => {
    const sql = await connect(pair.databaseUrl);
    const { rows } = await sql.query(`select payload::jsonb ->> 'action' as it from audit_events`);
    expect([...new Set(rows.map(({ it }) => it))].sort()).toEqual([
      'key.created',
      'management_key.created',
      'webhook.created',
    ]);
  });
});
