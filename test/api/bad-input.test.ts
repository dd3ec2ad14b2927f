import { afterAll, beforeAll, describe, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { RefusalChecker } from '../support/refusals.ts';

const nested = (levels: number): object => (levels === 1 ? {} : { a: nested(levels - 1) });
const PAST = '2001-01-01T00:00:00Z';
const FUTURE = '2098-01-01T00:00:00Z';
const LATER = '2099-01-01T00:00:00Z';

/** A description, a body with an invalid value, and the pointer to that value. */
type Case = [what: string, body: unknown, pointer: string];

const TEXTS = (field: string, longest: number): Case[] => [
  [`${field} empty`, { [field]: '' }, `/body/${field}`],
  [`${field} blank`, { [field]: ' \t ' }, `/body/${field}`],
  [`${field} too long`, { [field]: 'x'.repeat(longest + 1) }, `/body/${field}`],
  [`${field} a number`, { [field]: 1 }, `/body/${field}`],
  [`${field} an object`, { [field]: {} }, `/body/${field}`],
  [`${field} with NUL`, { [field]: 'a\0b' }, `/body/${field}`],
  [`${field} with a control character`, { [field]: 'a\u001bb' }, `/body/${field}`],
  [`${field} with half a character`, { [field]: 'a\ud800b' }, `/body/${field}`],
];

const TIMES = (field: string): Case[] =>
  [
    '',
    'tomorrow',
    '2030-02-30T00:00:00Z',
    '2030-13-01T00:00:00Z',
    '2029-02-29T00:00:00Z',
    '2030-01-01T24:00:00Z',
    '2030-01-01T00:60:00Z',
    '2030-01-01T00:00:61Z',
    '2030-01-01T00:00:00',
    '2030-01-01',
    '2030-01-01 00:00:00Z',
    '1969-12-31T23:59:59Z',
    '9999-12-31T23:59:59-01:00',
    '+012030-01-01T00:00:00Z',
    '2030-01-01T00:00:00.1234567890Z',
    1_893_456_000,
    true,
  ].map((value) => [`${field} ${JSON.stringify(value)}`, { [field]: value }, `/body/${field}`]);

const LISTS: Case[] = [
  ['scopes not a list', { scopes: 'read' }, '/body/scopes'],
  ['scopes twice the same', { scopes: ['read', 'read'] }, '/body/scopes'],
  ['a scope that is empty', { scopes: ['read', ''] }, '/body/scopes/1'],
  ['a scope with a space', { scopes: ['a b'] }, '/body/scopes/0'],
  ['a scope with an inner wildcard', { scopes: ['a:*:b'] }, '/body/scopes/0'],
  ['a scope of 9 segments', { scopes: ['a:b:c:d:e:f:g:h:i'] }, '/body/scopes/0'],
  ['a scope too long', { scopes: ['a'.repeat(129)] }, '/body/scopes/0'],
  ['a scope that is a number', { scopes: [1] }, '/body/scopes/0'],
  ['too many scopes', { scopes: Array.from({ length: 101 }, (_, i) => `s${i}`) }, '/body/scopes'],
  ['resources twice the same', { resources: ['a', 'a'] }, '/body/resources'],
  ['a blank resource', { resources: [' '] }, '/body/resources/0'],
  ['a resource with NUL', { resources: ['a\0'] }, '/body/resources/0'],
  ['allowedIps not a list', { allowedIps: '203.0.113.7' }, '/body/allowedIps'],
  ['an address that is none', { allowedIps: ['203.0.113.256'] }, '/body/allowedIps/0'],
  ['an octal address', { allowedIps: ['203.0.113.007'] }, '/body/allowedIps/0'],
  ['a range too long', { allowedIps: ['203.0.113.0/33'] }, '/body/allowedIps/0'],
  ['an address with a zone', { allowedIps: ['::1', 'fe80::1%eth0'] }, '/body/allowedIps/1'],
];

const METADATA: Case[] = [
  ['metadata a list', { metadata: [] }, '/body/metadata'],
  ['metadata a text', { metadata: 'x' }, '/body/metadata'],
  ['metadata too large', { metadata: { a: 'x'.repeat(8192) } }, '/body/metadata'],
  ['metadata too deep', { metadata: nested(9) }, `/body/metadata${'/a'.repeat(8)}`],
  ['metadata with NUL', { metadata: { a: ['\0'] } }, '/body/metadata/a/0'],
  ['metadata with half a character', { metadata: { a: '\ud800' } }, '/body/metadata/a'],
  ['a metadata name with half a character', { metadata: { '\udfff': 1 } }, '/body/metadata'],
  ['a number that JSON cannot hold', '{"name":"x","metadata":{"a":1e999}}', '/body/metadata/a'],
];

const LIFETIMES: Case[] = [
  ['an expiry in the past', { expiresAt: PAST }, '/body/expiresAt'],
  ['both forms of expiry', { expiresAt: FUTURE, expiresInSeconds: 9 }, '/body/expiresInSeconds'],
  ['notBefore after the expiry', { notBefore: LATER, expiresAt: FUTURE }, '/body/notBefore'],
  ['notBefore at the expiry', { notBefore: FUTURE, expiresAt: FUTURE }, '/body/notBefore'],
  ...[0, -1, 1.5, '60', 315_360_001].map(
    (value): Case => [
      `expiresInSeconds ${JSON.stringify(value)}`,
      { expiresInSeconds: value },
      '/body/expiresInSeconds',
    ],
  ),
];

const COMMON: Case[] = [
  ...TEXTS('name', 100),
  ...TEXTS('description', 1000),
  ...TEXTS('ownerId', 128),
  ...TIMES('notBefore'),
  ...TIMES('expiresAt'),
  ...LISTS,
  ...METADATA,
  ...LIFETIMES,
  ['enabled a text', { enabled: 'true' }, '/body/enabled'],
  ['an unknown field', { naem: 'x' }, '/body/naem'],
  ['a field of the answer', { id: 'key_1' }, '/body/id'],
  ['the key string', { key: 'x' }, '/body/key'],
];

describe('input that does not fit is refused with a pointer to it, and writes nothing', () => {
  let database: TestDatabase;
  let keyward: Instance;
  let refusals: RefusalChecker;
  let id: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    keyward = await launch(database.url);
    refusals = await RefusalChecker.open(database.url);
    id = (await keyward.call('POST', '/v1/keys', { body: { name: 'one' } })).body.id;
  });
  afterAll(async () => {
    await refusals.close();
    await keyward.stop();
    await database.drop();
  });

  const refused = (method: string, url: string, body: unknown, pointer: string) =>
    refusals.expectRefused(() => keyward.call(method, url, body === undefined ? {} : { body }), {
      status: 400,
      code: 'INVALID_REQUEST',
      pointer,
    });
  const asCreation = (body: unknown) =>
    typeof body === 'object' && body !== null ? { name: 'x', ...body } : body;

  it.each(COMMON)(
    'a key with a wrong field is refused at its creation, with a pointer to it, and writes nothing: %s',
    async (_what, body, pointer) => {
      await refused('POST', '/v1/keys', asCreation(body), pointer);
    },
  );

  it.each<Case>([
    ['no body', undefined, '/body/name'],
    ['no name', {}, '/body/name'],
    ['name null', { name: null }, '/body/name'],
    ['a list', [], '/body'],
    ['null', 'null', '/body'],
    ['a text', '"x"', '/body'],
    ['a number', '1', '/body'],
    ['the prefix of management keys', { name: 'x', prefix: 'kw' }, '/body/prefix'],
    ...['', 'AK', '_ak', 'ak_', 'ak-live', '1ak', 'a'.repeat(25), 7].map(
      (prefix): Case => [`prefix ${JSON.stringify(prefix)}`, { name: 'x', prefix }, '/body/prefix'],
    ),
  ])(
    'a key with a field that cannot be given at creation is refused, with a pointer to it, and writes nothing: %s',
    async (_what, body, pointer) => {
      await refused('POST', '/v1/keys', body, pointer);
    },
  );

  it.each<Case>([
    ...COMMON.filter(([, body]) => typeof body === 'object'),
    ['name null', { name: null }, '/body/name'],
    ['scopes null', { scopes: null }, '/body/scopes'],
    ['enabled null', { enabled: null }, '/body/enabled'],
    ['another prefix', { prefix: 'ak_test' }, '/body/prefix'],
  ])(
    'a patch with a wrong field is refused, points to it, and writes nothing: %s',
    async (_what, body, pointer) => {
      await refused('PATCH', `/v1/keys/${id}`, body, pointer);
    },
  );

  it.each<Case>([
    ...TEXTS('reason', 64),
    ...TEXTS('note', 1000),
    ['an unknown field', { why: 'x' }, '/body/why'],
    ['a list', [], '/body'],
  ])(
    'a revocation with a wrong field is refused, points to it, and writes nothing: %s',
    async (_what, body, pointer) => {
      await refused('POST', `/v1/keys/${id}/revoke`, body, pointer);
    },
  );

  const asked = (more: object) => ({ key: 'ak_live_x', ...more });
  it.each<Case>([
    ['no body', undefined, '/body/key'],
    ['no key', {}, '/body/key'],
    ['key null', { key: null }, '/body/key'],
    ['key a number', { key: 1 }, '/body/key'],
    ['a list', [], '/body'],
    ['an unknown field', asked({ scope: 'read' }), '/body/scope'],
    ['no required scope', asked({ requiredScopes: [] }), '/body/requiredScopes'],
    ['a required scope twice', asked({ requiredScopes: ['a', 'a'] }), '/body/requiredScopes'],
    ['a required wildcard', asked({ requiredScopes: ['a:*'] }), '/body/requiredScopes/0'],
    ['any of no scopes', asked({ requiredAnyScope: [] }), '/body/requiredAnyScope'],
    ['a blank resource', asked({ resource: ' ' }), '/body/resource'],
    ['an address that is none', asked({ ip: '1.2.3' }), '/body/ip'],
    ['an octal address', asked({ ip: '010.0.0.1' }), '/body/ip'],
    ['a range for an address', asked({ ip: '203.0.113.0/24' }), '/body/ip'],
    ['an address with a port', asked({ ip: '203.0.113.7:80' }), '/body/ip'],
    ['ip null', asked({ ip: null }), '/body/ip'],
  ])(
    'a verification with a wrong field is refused, points to it, and writes nothing: %s',
    async (_what, body, pointer) => {
      await refused('POST', '/v1/verify', body, pointer);
    },
  );

  it('every wrong field is named, not only the first', async () => {
    const body = { name: '', prefix: 'AK', scopes: ['a b'], nmae: 1 };
    const answer = await refused('POST', '/v1/keys', body, '/body/name');
    for (const pointer of ['/body/prefix', '/body/scopes/0', '/body/nmae']) {
      expectNamed(answer.body.errors, pointer);
    }
  });

  it('a field name with slashes and tildes is pointed to as RFC 6901 says', async () => {
    await refused('POST', '/v1/keys', { name: 'x', 'a/b~c': 1 }, '/body/a~1b~0c');
    const metadata = { 'a/b~c': '\0' };
    await refused('POST', '/v1/keys', { name: 'x', metadata }, '/body/metadata/a~1b~0c');
  });
});

function expectNamed(errors: { pointer: string }[], pointer: string): void {
  if (errors.some((error) => error.pointer === pointer)) return;
  throw new Error(`${pointer} is not among ${errors.map((error) => error.pointer).join(', ')}`);
}
