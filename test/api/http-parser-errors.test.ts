import { once } from 'node:events';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { refuseMalformedRequest } from '../../src/http/client-error.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';

let database: TestDatabase;
let instance: Instance;
let port: number;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url);
  await instance.service.app.listen({ host: '127.0.0.1', port: 0 });
  const address = instance.service.app.server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  port = address.port;
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

function expectProblemOnTheWire(answer: string, status: number, code: string): void {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(head.toLowerCase()).toContain('content-type: application/problem+json');
  const problem = JSON.parse(body.slice(body.indexOf('{'), body.lastIndexOf('}') + 1));
  expect(problem).toMatchObject({ type: 'about:blank', status, code, errors: [] });
  expect(head.toLowerCase()).toContain(`x-request-id: ${problem.requestId}`.toLowerCase());
}

it.each([
  ['not HTTP at all', 'hello\r\n\r\n', 400, 'MALFORMED_HTTP'],
  [
    'a header name with a space in it',
    'GET / HTTP/1.1\r\nHost: a\r\nx y: z\r\n\r\n',
    400,
    'MALFORMED_HTTP',
  ],
  [
    'headers beyond 16 KiB',
    `GET / HTTP/1.1\r\nHost: a\r\nx: ${'x'.repeat(17_000)}\r\n\r\n`,
    431,
    'HEADERS_TOO_LARGE',
  ],
  [
    'an unknown expectation',
    'GET /livez HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n',
    417,
    'EXPECTATION_FAILED',
  ],
])(
  'the server answers %s with a problem, like every other error',
  async (_, sent, status, code) => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(sent);
    expectProblemOnTheWire(await text(socket), status, code);
  },
);

it('a request that does not arrive in time is answered 408 with a problem', async () => {
  const socket = new PassThrough();
  const error = Object.assign(new Error('x'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
  refuseMalformedRequest(error, socket);
  expectProblemOnTheWire(await text(socket), 408, 'REQUEST_TIMEOUT');
});
