import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { createKey } from '../support/sql-keys.ts';

type Line = [name: string, value: string];

const SPELLINGS: [string, (name: string) => string][] = [
  ['lower', (name) => name.toLowerCase()],
  ['upper', (name) => name.toUpperCase()],
  ['title', (name) => name.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase())],
];
const GATEWAY = 'X-Keyward-Authorization';
const asking = (...parameters: string[]): Line => [
  GATEWAY,
  [`Bearer ${ROOT_KEY}`, ...parameters].join('; '),
];

/** Over a socket: paths and headers arrive as they are written, repeated headers too. */
describe('what authorize reads of a request', () => {
  let database: TestDatabase;
  let instance: Instance;
  let url: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url, { keyHeader: 'x-acme-key' });
    url = await instance.service.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });

  const authorize = async (
    lines: readonly Line[],
    sent = { method: 'GET', path: '', body: '' },
  ) => {
    const call = request(url, {
      method: sent.method,
      path: `/v1/authorize${sent.path}`,
      headers: [
        'Host',
        'gateway',
        'Content-Length',
        String(Buffer.byteLength(sent.body)),
        ...lines.flat(),
      ],
      agent: false,
    });
    call.end(sent.body);
    const [answer]: IncomingMessage[] = await once(call, 'response');
    answer?.resume();
    const { 'x-keyward-code': code, 'x-keyward-status': status } = answer?.headers ?? {};
    return `${answer?.statusCode} ${code} ${status}`;
  };

  it.each(SPELLINGS)('the names of headers are read in %s case', async (_, spell) => {
    const { key } = await createKey(instance, { scopes: ['a'] });
    const ask = (scope: string) => {
      const [name, value] = asking(`requiredScopes=${scope}`);
      return authorize([
        [spell(name), value],
        [spell('x-api-key'), key],
      ]);
    };
    expect(await ask('a')).toBe('200 VALID 200');
    expect(await ask('b')).toBe('403 INSUFFICIENT_SCOPE 403');
  });

  it('the credential of a gateway takes its scheme in any case of letters', async () => {
    const { key } = await createKey(instance);
    for (const scheme of ['bearer', 'BEARER', 'Bearer ']) {
      const lines: Line[] = [
        [GATEWAY, `${scheme} ${ROOT_KEY}; cost=1`],
        ['X-API-Key', key],
      ];
      expect(await authorize(lines)).toBe('200 VALID 200');
    }
  });

  it('a header of the gateway that comes with several values authenticates nobody', async () => {
    const { key } = await createKey(instance, { scopes: ['read'] });
    const own = asking('requiredAnyScope=admin');
    const others = ['read', `Bearer ${ROOT_KEY}`, 'Bearer kw_no', `${own[1]},read`];
    for (const value of others) {
      const other: Line = [GATEWAY.toLowerCase(), value];
      for (const lines of [
        [own, other],
        [other, own],
      ]) {
        const told = await authorize([...lines, ['X-API-Key', key]]);
        expect(told).toBe('401 GATEWAY_UNAUTHENTICATED 401');
      }
    }
    const nginx = asking('mode=nginx', 'requiredAnyScope=admin');
    const told = await authorize([nginx, [GATEWAY, 'read'], ['X-API-Key', key]]);
    expect(told).toBe('503 GATEWAY_UNAUTHENTICATED 503');
    expect(await authorize([own, own, ['X-API-Key', key]])).toBe('403 INSUFFICIENT_SCOPE 403');
  });

  it('values that a proxy joined with a comma and a space ask nothing that the gateway did not', async () => {
    const { key } = await createKey(instance, { scopes: ['read'] });
    for (const parameter of ['requiredScopes=read', 'requiredAnyScope=admin', 'cost=1']) {
      const [name, value] = asking(parameter);
      const told = await authorize([
        [name, `${value}, read`],
        ['X-API-Key', key],
      ]);
      expect(told).toBe('400 INVALID_REQUEST 400');
    }
  });

  it('different keys in one header are ambiguous, equal ones are one key, and a more specific header wins', async () => {
    const { key } = await createKey(instance);
    const { key: other } = await createKey(instance);
    const bearer = (value: string): Line => ['Authorization', `Bearer ${value}`];
    const cases: [Line[], string][] = [
      [
        [
          ['X-API-Key', key],
          ['x-api-key', other],
        ],
        '401 KEY_AMBIGUOUS 401',
      ],
      [[bearer(key), bearer(other)], '401 KEY_AMBIGUOUS 401'],
      [[bearer(key), ['authorization', 'Basic dTpw']], '401 KEY_AMBIGUOUS 401'],
      [
        [
          ['X-Acme-Key', key],
          ['X-Acme-Key', other],
        ],
        '401 KEY_AMBIGUOUS 401',
      ],
      [[['X-API-Key', key], ['X-API-Key', other], bearer(key)], '401 KEY_AMBIGUOUS 401'],
      [
        [
          ['X-API-Key', key],
          ['x-api-key', key],
        ],
        '200 VALID 200',
      ],
      [[bearer(key), bearer(key)], '200 VALID 200'],
      [
        [
          ['X-API-Key', ''],
          ['X-API-Key', key],
        ],
        '200 VALID 200',
      ],
      [[['X-API-Key', key], bearer(other), ['Authorization', 'Basic dTpw']], '200 VALID 200'],
      [[['X-Acme-Key', key], ['X-API-Key', 'no'], bearer('no')], '200 VALID 200'],
    ];
    for (const [lines, expected] of cases) {
      expect({ lines, told: await authorize([asking(), ...lines]) }).toEqual({
        lines,
        told: expected,
      });
    }
  });

  it('what cannot be a key is a key that does not exist, whatever it is', async () => {
    const strange = [
      'x',
      'é',
      '\xff\xfe',
      'Bearer ak_live_x',
      'a b',
      'ak_live_'.padEnd(9000, 'x'),
      ',',
    ];
    for (const value of strange) {
      expect(await authorize([asking(), ['X-API-Key', value]])).toBe('401 NOT_FOUND 401');
    }
  });

  it('a resource is read as UTF-8, and what is not UTF-8 is refused', async () => {
    const { key } = await createKey(instance, { resources: ['project:zoë/😀'] });
    const ask = (bytes: Buffer) =>
      authorize([asking(`resource=${bytes.toString('latin1')}`), ['X-API-Key', key]]);
    expect(await ask(Buffer.from('project:zoë/😀'))).toBe('200 VALID 200');
    expect(await ask(Buffer.from('project:zoé/😀'))).toBe('403 RESOURCE_NOT_ALLOWED 403');
    expect(await ask(Buffer.from('project:zoë', 'latin1'))).toBe('400 INVALID_REQUEST 400');
  });

  it.each([
    ...['/', '//', '/../keys', '/..%2f..%2fkeys', '/%2e%2e/keys', '/keys', '/reports/100%/x'],
    ...['/caf%e9', '/%', '/%00', '/a;b=c', '/a\\b', '?', '?%', '#x', '/?requiredScopes=a'],
    `/${'long/'.repeat(2500)}`,
  ])('the path and query that a gateway appends are not read: %s', async (path) => {
    const { key } = await createKey(instance);
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      const sent = { method, path, body: '' };
      expect(await authorize([asking(), ['X-API-Key', key]], sent)).toBe('200 VALID 200');
      const lacking = await authorize([asking('requiredScopes=b'), ['X-API-Key', key]], sent);
      expect(lacking).toBe('403 INSUFFICIENT_SCOPE 403');
    }
  });

  it('nothing that a client writes elsewhere changes what its gateway asks', async () => {
    const limited = { scopes: ['a'], resources: ['r'], credits: { remaining: 0 } };
    const { key } = await createKey(instance, limited);
    const { key: bound } = await createKey(instance, { allowedIps: ['203.0.113.7'] });
    const questions = fc.constantFrom<[string, string, string]>(
      [key, 'requiredScopes=b', '403 INSUFFICIENT_SCOPE 403'],
      [key, 'resource=s', '403 RESOURCE_NOT_ALLOWED 403'],
      [key, 'requiredScopes=a; resource=r', '429 CREDITS_EXHAUSTED 429'],
      [key, 'cost=0; resource=r', '200 VALID 200'],
      [key, 'workspaceId=other', '401 NOT_FOUND 401'],
      [bound, 'ip=203.0.113.8', '403 IP_NOT_ALLOWED 403'],
      [bound, 'cost=0', '403 IP_NOT_ALLOWED 403'],
    );
    await fc.assert(
      fc.asyncProperty(clientRequests, questions, async (sent, [presented, asked, expected]) => {
        const lines: Line[] = [...sent.lines, asking(asked), ['X-API-Key', presented]];
        expect(await authorize(lines, sent)).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });
});

const NAMES = [
  ...['requiredScopes', 'requiredAnyScope', 'resource', 'ip', 'cost', 'workspaceId', 'mode'],
  ...['from', 'key', 'scopes', '__proto__'],
];
const VALUES = ['a', 'b', 'r', '203.0.113.7', '0', 'default', 'other', 'nginx', 'query', '*', ''];
const pair = fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES));
const pairs = fc.array(
  pair.map((sides) => sides.join('=')),
  { maxLength: 4 },
);
const kebab = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter}`);
const ownHeader = pair.map(([name, value]): Line => [`X-Keyward-${kebab(name)}`, value]);
const otherHeader = fc.constantFrom<Line>(
  ['X-Forwarded-For', '203.0.113.7'],
  ['X-Forwarded-Uri', '/?cost=0'],
  ['X-Original-Url', '/v1/authorize?cost=0'],
  ['X-Http-Method-Override', 'DELETE'],
  ['Keyward-Actor', 'user:1'],
  ['Content-Type', 'application/x-www-form-urlencoded'],
  ['Content-Type', 'application/json'],
  ['Content-Encoding', 'gzip'],
  ['Accept-Encoding', 'br'],
  ['Cookie', 'requiredScopes=a'],
);
const oddText = fc.string({
  unit: fc.constantFrom('/', '.', '%', '2f', '%00', ';', 'a', '?', '&', '\\'),
});

/** Requests of a client who knows what gateways ask. */
const clientRequests = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND'),
  path: fc
    .tuple(oddText, pairs, pairs)
    .map(([text, inPath, inQuery]) => `/${text}${inPath.join(';')}?${inQuery.join('&')}`),
  lines: fc.array(fc.oneof(ownHeader, otherHeader), { maxLength: 5 }),
  body: pairs.map((some) => some.join('&')),
});
