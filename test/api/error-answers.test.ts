import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Answer, type Instance, launch } from '../support/instance.ts';
import { expectProblem } from '../support/refusals.ts';

let database: TestDatabase;
let keyward: Instance;

beforeAll(async () => {
  database = await createTestDatabase();
  keyward = await launch(database.url);
});
afterAll(async () => {
  await keyward.stop();
  await database.drop();
});

const UNREADABLE: [what: string, body: string, type: string][] = [
  ['malformed', '{', 'application/json'],
  ['empty', '', 'application/json'],
  ['too large', `"${'x'.repeat(100_000)}"`, 'application/json'],
  ['of another type', '<a/>', 'text/xml'],
];

it.each(UNREADABLE)(
  'an unknown path or method is named as such before a body is judged that is %s',
  async (_what, body, type) => {
    const headers = { 'content-type': type };
    const unknown = await keyward.call('POST', '/v1/nowhere', { body, headers });
    expectProblem(unknown, { status: 404, code: 'ROUTE_NOT_FOUND' });
    const wrong = await keyward.call('PUT', '/v1/keys', { body, headers });
    expectProblem(wrong, { status: 405, code: 'METHOD_NOT_ALLOWED' });
    expect(wrong.headers.allow).toBe('GET, POST');
  },
);

it('a path with several methods names them all where another is used', async () => {
  const key = await keyward.call('PUT', '/v1/keys/key_0', { body: {} });
  expect(key.headers.allow).toBe('GET, PATCH, DELETE');
  const workspace = await keyward.call('POST', '/v1/workspaces/one?a=b', { body: {} });
  expect(workspace.headers.allow).toBe('GET, PUT, PATCH, DELETE');
  expect((await keyward.call('POST', '/v1/nowhere')).headers.allow).toBeUndefined();
});

it.each(UNREADABLE)(
  'a body that is %s is refused by a code and in words of its own',
  async (what, body, type) => {
    const headers = { 'content-type': type };
    const answer = await keyward.call('POST', '/v1/keys', { body, headers });
    const expected = {
      malformed: [400, 'MALFORMED_JSON', 'The body is not valid JSON, with each name once.'],
      empty: [400, 'MALFORMED_JSON', 'The body is empty; send a JSON object.'],
      'too large': [413, 'BODY_TOO_LARGE', 'The body is larger than 65536 bytes.'],
      'of another type': [415, 'UNSUPPORTED_MEDIA_TYPE', 'Send `Content-Type: application/json`.'],
    }[what];
    const { code, detail } = answer.body;
    expect([answer.status, code, detail]).toEqual(expected);
  },
);

it('a URL that no route can read is refused with the id of its request', async () => {
  for (const url of [`/v1/keys/${'x'.repeat(257)}`, '/v1/keys/%zz']) {
    const headers = { 'x-request-id': 'mine' };
    const answer = await keyward.call('GET', url, { headers });
    expectProblem(answer, { status: 400, code: 'INVALID_REQUEST', pointer: '/path' });
    expect(answer.headers['x-request-id']).toBe('mine');
  }
  const longest = await keyward.call('GET', `/v1/keys/${'x'.repeat(128)}`);
  expect(longest.body.code).not.toBe('METHOD_NOT_ALLOWED');
  expect(longest.body.errors).not.toContainEqual(expect.objectContaining({ pointer: '/path' }));
});

it('a key that is sent in the place of a field name is told to nobody', async () => {
  const { body } = await keyward.call('POST', '/v1/keys', { body: { name: 'a key' } });
  const answer = await keyward.call('POST', '/v1/verify', { body: { [body.key]: 1, key: 'x' } });
  expect(answer.status).toBe(400);
  expect(answer.text).not.toContain(body.key);
  expect(answer.text).toContain('[redacted]');
  expect(keyward.logLines.join('')).not.toContain(body.key);
});

it('a challenge goes with 401 alone, and a time to wait with 503 alone', async () => {
  const marks = ({ status, headers }: Answer) => [
    status,
    headers['www-authenticate'],
    headers['retry-after'],
  ];
  const unauthenticated = await keyward.call('GET', '/v1/keys', { as: 'nobody' });
  expect(marks(unauthenticated)).toEqual([401, 'Bearer realm="keyward"', undefined]);
  const missing = await keyward.call('GET', '/v1/nowhere');
  expect(marks(missing)).toEqual([404, undefined, undefined]);
  const malformed = await keyward.call('POST', '/v1/keys', { body: '{' });
  expect(marks(malformed)).toEqual([400, undefined, undefined]);
});
