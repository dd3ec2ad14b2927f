import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type CallOptions, type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { expectProblem, type Refusal, RefusalChecker } from '../support/refusals.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

describe('a request that the API cannot understand', () => {
  let database: TestDatabase;
  let keyward: Instance;
  let refusals: RefusalChecker;
  let id: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    keyward = await launch(database.url);
    refusals = await RefusalChecker.open(database.url);
    id = (await keyward.call('POST', '/v1/keys', { body: { name: 'one' } })).body.id;
    await keyward.call('POST', '/v1/keys', { body: { name: 'two' } });
  });
  afterAll(async () => {
    await refusals.close();
    await keyward.stop();
    await database.drop();
  });

  const refused = (method: string, url: string, options: CallOptions, refusal: Refusal) =>
    refusals.expectRefused(() => keyward.call(method, url.replace(':id', id), options), refusal);

  const BODY_CALLS: [method: string, url: string][] = [
    ['POST', '/v1/keys'],
    ['PATCH', '/v1/keys/:id'],
    ['POST', '/v1/keys/:id/revoke'],
    ['POST', '/v1/verify'],
  ];

  describe.each(BODY_CALLS)('%s %s', (method, url) => {
    it.each([
      '{',
      '{"name": "x"',
      '{"name": x}',
      "{'name': 'x'}",
      '{"name": "x"} more',
      '\u00a0{"name": "x"}',
      '{"name": "a\nb"}',
      'undefined',
      'NaN',
    ])(`${method} ${url} refuses malformed JSON: %j`, async (body) => {
      await refused(method, url, { body }, { status: 400, code: 'MALFORMED_JSON' });
    });

    it.each([
      '{"name":"x","__proto__":{"enabled":false}}',
      '{"name":"x","metadata":{"__proto__":{"a":1}}}',
      '{"name":"x","metadata":{"\\u005f_proto__":{"a":1}}}',
    ])(`${method} ${url} refuses JSON that would reach for prototypes: %s`, async (body) => {
      const pointer = body.includes('metadata') ? '/body/metadata/__proto__' : '/body/__proto__';
      await refused(method, url, { body }, { status: 400, code: 'INVALID_REQUEST', pointer });
      expect(Object.hasOwn(Object.prototype, 'a')).toBe(false);
    });

    const isNeeded = ['/v1/keys', '/v1/verify'].includes(url);
    it.runIf(isNeeded)(`${method} ${url} refuses an empty body`, async () => {
      const options = { body: '', headers: JSON_TYPE };
      await refused(method, url, options, { status: 400, code: 'MALFORMED_JSON' });
    });

    it.each([
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
      'application/jsonp',
      'application/octet-stream',
      'json',
      '',
    ])(`${method} ${url} refuses a body of type %j`, async (type) => {
      const options = { body: '{"name":"x","key":"x"}', headers: { 'content-type': type } };
      await refused(method, url, options, { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
    });

    it(`${method} ${url} refuses a body larger than 64 KiB`, async () => {
      const body = JSON.stringify({ name: 'x'.repeat(65_536) });
      await refused(method, url, { body }, { status: 413, code: 'BODY_TOO_LARGE' });
    });
  });

  it.each([
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'Application/JSON',
  ])('a body of type %s is accepted as JSON', async (type) => {
    const headers = { 'content-type': type };
    const answer = await keyward.call('POST', '/v1/verify', { body: { key: 'x' }, headers });
    expect(answer).toMatchObject({ status: 200, body: { code: 'NOT_FOUND' } });
  });

  it.each([
    'key_',
    'key_short',
    'key_0000000000000000000000!',
    'KEY_0000000000000000000000',
    'key_000000000000000000000000',
    'mk_0000000000000000000000',
    '%00',
    '..%2fworkspaces',
    "key_'%20or%201=1--",
    'x'.repeat(256),
    'x'.repeat(257),
    '%zz',
    '%e0%a4%a',
  ])('the id %j is refused in every path that has an id', async (bad) => {
    const unreadable = /%[ze]/.test(bad) || bad.length > 256;
    const pointer = unreadable ? '/path' : '/path/id';
    const refusal = { status: 400, code: 'INVALID_REQUEST', pointer };
    for (const [method, rest] of [
      ['GET', ''],
      ['DELETE', ''],
      ['PATCH', ''],
      ['POST', '/revoke'],
      ['GET', '/usage'],
    ] as const) {
      const body = method === 'PATCH' ? { name: 'x' } : undefined;
      await refused(method, `/v1/keys/${bad}${rest}`, { body }, refusal);
    }
  });

  it('an id that was never issued is not found', async () => {
    const unknown = `/v1/keys/key_${'0'.repeat(22)}`;
    const notFound = { status: 404, code: 'NOT_FOUND' };
    await refused('GET', unknown, {}, notFound);
    await refused('DELETE', unknown, {}, notFound);
    await refused('GET', `${unknown}/usage`, {}, notFound);
    await refused('PATCH', unknown, { body: { name: 'x' } }, notFound);
    await refused('POST', `${unknown}/revoke`, {}, notFound);
  });

  const LISTS = ['/v1/keys', '/v1/audit-events'];

  it.each(['0', '-1', '201', '1.5', 'x', '', '1e3', 'NaN', 'null', '%00', '9'.repeat(30)])(
    'a page size of %j is refused',
    async (limit) => {
      const refusal = { status: 400, code: 'INVALID_REQUEST', pointer: '/query/limit' };
      for (const list of LISTS) await refused('GET', `${list}?limit=${limit}`, {}, refusal);
    },
  );

  it.each(['limit=1&limit=2', 'cursor=a&cursor=b'])(
    'a repeated parameter is refused: %s',
    async (query) => {
      const pointer = `/query/${query.split('=')[0]}`;
      const refusal = { status: 400, code: 'INVALID_REQUEST', pointer };
      for (const list of LISTS) await refused('GET', `${list}?${query}`, {}, refusal);
    },
  );

  it.each(['page=2', 'limits=1', 'Limit=1', '__proto__=1', 'constructor=1'])(
    'an unknown parameter is refused: %s',
    async (query) => {
      const pointer = `/query/${query.split('=')[0]}`;
      const refusal = { status: 400, code: 'INVALID_REQUEST', pointer };
      for (const list of LISTS) await refused('GET', `${list}?${query}`, {}, refusal);
    },
  );

  /** A cursor of the list itself, with another position in it. */
  const forged = async (list: string, value: unknown, position: unknown) => {
    const { nextCursor } = (await keyward.call('GET', `${list}?limit=1`)).body;
    const [name] = JSON.parse(Buffer.from(nextCursor, 'base64url').toString());
    return Buffer.from(JSON.stringify([name, value, position])).toString('base64url');
  };
  const badCursor = { status: 400, code: 'INVALID_CURSOR', pointer: '/query/cursor' };

  it.each(['garbage', '!!!!', 'bnVsbA', 'e30', 'W10', 'eyJhZnRlciI6MX0'])(
    'the cursor %s is refused',
    async (cursor) => {
      for (const list of LISTS) await refused('GET', `${list}?cursor=${cursor}`, {}, badCursor);
    },
  );

  it.each([
    ['/v1/keys', 'some day', 'key_1'],
    ['/v1/keys', '2030-02-31T00:00:00Z', 'key_1'],
    ['/v1/keys', '999999-01-01', 'key_1'],
    ['/v1/keys', "now()'); drop table keys; --", 'key_1'],
    ['/v1/keys', 1, 'key_1'],
    ['/v1/keys', '2030-01-01T00:00:00.000Z', 'key_\0'],
    ['/v1/keys', '2030-01-01T00:00:00.000Z', null],
    ['/v1/audit-events', null, 'x'],
    ['/v1/audit-events', null, '1.5'],
    ['/v1/audit-events', null, '9'.repeat(30)],
    ['/v1/audit-events', null, ['1']],
  ])(
    'a cursor of %s that was forged to point to %j, %j is refused',
    async (list, value, position) => {
      const cursor = await forged(list, value, position);
      await refused('GET', `${list}?cursor=${cursor}`, {}, badCursor);
    },
  );

  it.each(LISTS)("another list's cursor is refused in %s", async (list) => {
    const other = LISTS.find((one) => one !== list);
    const page = await keyward.call('GET', `${other}?limit=1`);
    expect(page.body.nextCursor).toEqual(expect.any(String));
    await refused('GET', `${list}?cursor=${page.body.nextCursor}`, {}, badCursor);
  });

  it.each([
    ['', '/query/cursor'],
    ['x'.repeat(1025), '/query/cursor'],
  ])('the cursor %j is refused by its length', async (cursor, pointer) => {
    const refusal = { status: 400, code: 'INVALID_REQUEST', pointer };
    for (const list of LISTS) await refused('GET', `${list}?cursor=${cursor}`, {}, refusal);
  });

  it.each([
    ['PUT', '/v1/keys', 'GET'],
    ['DELETE', '/v1/keys', 'POST'],
    ['PUT', '/v1/keys/:id', 'PATCH'],
    ['POST', '/v1/keys/:id', 'DELETE'],
    ['GET', '/v1/keys/:id/revoke', 'POST'],
    ['POST', '/v1/keys/:id/usage', 'GET'],
    ['GET', '/v1/verify', 'POST'],
    ['OPTIONS', '/v1/verify?x=1', 'POST'],
    ['POST', '/livez', 'GET'],
    ['TRACE', '/v1/keys', 'GET'],
    ['PROPFIND', '/v1/keys', 'GET'],
  ])('%s %s answers 405 with the methods that the path allows', async (method, url, allowed) => {
    const answer = await refused(method, url, {}, { status: 405, code: 'METHOD_NOT_ALLOWED' });
    expect(String(answer.headers.allow).split(', ')).toContain(allowed);
    expect(String(answer.headers.allow).split(', ')).not.toContain(method);
  });

  it.each(['/v1', '/v1/', '/v2/keys', '/v1/key', '/V1/keys', '//v1/keys', '/v1/keys/:id/x'])(
    'the unknown path %s answers 404',
    async (url) => {
      for (const method of ['GET', 'POST', 'DELETE']) {
        await refused(method, url, {}, { status: 404, code: 'ROUTE_NOT_FOUND' });
      }
    },
  );

  it.each(['', ' ', 'a\tb', 'é', 'x'.repeat(129)])(
    'the Keyward-Actor %j is refused',
    async (actor) => {
      const refusal = { status: 400, code: 'INVALID_REQUEST', pointer: '/headers/keyward-actor' };
      const options = { body: { name: 'x' }, headers: { 'keyward-actor': actor } };
      await refused('POST', '/v1/keys', options, refusal);
    },
  );

  it('an X-Request-Id that is not fit for the log is replaced', async () => {
    for (const requested of ['', 'a b', 'a"b', 'x'.repeat(65), '{"a":1}']) {
      const headers = { 'x-request-id': requested };
      const answer = await keyward.call('GET', '/v1/keys/x', { headers });
      expectProblem(answer, { status: 400, code: 'INVALID_REQUEST', pointer: '/path/id' });
      expect(answer.body.requestId).not.toBe(requested);
    }
    const answer = await keyward.call('GET', '/v1/keys', {
      headers: { 'x-request-id': 'ok-1.2_3' },
    });
    expect(answer.headers['x-request-id']).toBe('ok-1.2_3');
  });

  it('headers beyond 16 KiB are refused with 431 before anything else', async () => {
    await keyward.service.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = keyward.service.app.server.address() as AddressInfo;
    const headers = { authorization: `Bearer ${ROOT_KEY}`, 'x-large': 'x'.repeat(17_000) };
    const status = await new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path: '/v1/keys', headers });
      sent.on('response', (response) => resolve(response.resume().statusCode));
      sent.on('error', reject).end();
    });
    expect(status).toBe(431);
  });
});
