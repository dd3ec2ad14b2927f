import type { Random } from '../history/harness/random.ts';
import type { Operation } from './document.ts';
import type { World } from './world.ts';

type Headers = Record<string, string | string[]>;

const PRINTABLE: readonly string[] = [
  '',
  ' ',
  '*',
  '"1"',
  'W/"1"',
  '"a", "b"',
  'user:42',
  'once',
  '"once"',
  'é',
  'x'.repeat(128),
  'x'.repeat(129),
  'y'.repeat(9000),
  '__proto__',
  'a\tb',
  '{"json":true}',
];
const CONTENT_TYPES = [
  'application/json; charset=utf-8',
  'application/json; charset=latin1',
  'application/merge-patch+json',
  'APPLICATION/JSON',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json/',
  ';',
  '',
];
const REPEATABLE = Array.from({ length: 30 }, (_, index) => `again-${index}`);

export function headersFor(
  operation: Operation,
  body: Buffer | null,
  world: World,
  random: Random,
): Headers {
  const headers: Headers = { ...credentials(operation, world, random) };
  if (body !== null && !random.chance(0.02)) {
    const isUsual = random.chance(0.95);
    headers['content-type'] = isUsual ? operation.bodyType : random.pick(CONTENT_TYPES);
  }
  // With neither a length nor chunks, Node would end the body by closing the connection.
  if (body !== null) Object.assign(headers, framing(body, random));
  if (random.chance(0.15)) headers['idempotency-key'] = idempotencyKey(world, random);
  if (random.chance(0.1)) headers['if-match'] = random.pick([...PRINTABLE, ...world.etags]);
  if (random.chance(0.1)) headers['keyward-actor'] = someHeader(world, random);
  if (random.chance(0.2)) headers['x-request-id'] = someHeader(world, random);
  for (const parameter of operation.parameters) {
    if (parameter.in !== 'header' || parameter.name in headers || random.chance(0.85)) continue;
    headers[parameter.name] = random.chance(0.7)
      ? String(parameter.example ?? '').replaceAll(/[^\x20-\x7e]/g, '')
      : random.pick(PRINTABLE);
  }
  if (random.chance(0.02)) Object.assign(headers, random.pick(ODD));
  return headers;
}

const ODD: readonly Headers[] = [
  { 'content-encoding': 'gzip' },
  { accept: 'text/html' },
  { 'x-forwarded-for': '203.0.113.7, 10.0.0.1' },
  { host: 'evil.example' },
  { 'x-http-method-override': 'DELETE' },
  { 'transfer-encoding': 'chunked' },
  { connection: 'close' },
  { 'if-none-match': '*' },
  { range: 'bytes=0-1' },
  { origin: 'null', 'access-control-request-method': 'DELETE' },
];

function credentials({ id }: Operation, world: World, random: Random): Headers {
  const credential = random.weighted<() => string | string[] | null>([
    [70, () => `Bearer ${world.rootKey}`],
    [14, () => `Bearer ${random.pick(world.managementKeys)}`],
    [4, () => `Bearer ${random.pick(world.keys)}`],
    [4, () => `Bearer ${world.someKey(random)}`],
    [2, () => null],
    [1, () => random.pick(PRINTABLE)],
    [2, () => `Basic ${Buffer.from(`root:${world.rootKey}`).toString('base64')}`],
    [1, () => `bearer  ${world.rootKey} `],
    [1, () => `Bearer ${'z'.repeat(9000)}`],
  ])();
  const own: Headers = credential === null ? {} : { authorization: credential };
  if (id === 'whoAmI' || id === 'revokeOwnKey') return presenting(world, random);
  if (id !== 'authorize') return own;
  const gateway: Headers = credential === null ? {} : { 'x-keyward-authorization': credential };
  return { ...presenting(world, random), ...gateway };
}

function presenting(world: World, random: Random): Headers {
  const key = world.someKey(random);
  const inHeader: Headers = { 'x-api-key': key };
  return random.chance(0.5) ? { authorization: `Bearer ${key}` } : inHeader;
}

function framing(body: Buffer, random: Random): Headers {
  const chunked: Headers = { 'transfer-encoding': 'chunked' };
  return random.chance(0.05) ? chunked : { 'content-length': String(body.length) };
}

function idempotencyKey(world: World, random: Random): string {
  return random.weighted([
    [6, random.pick(REPEATABLE)],
    [4, `fresh-${random.between(0, 1e9)}`],
    [1, random.pick(PRINTABLE)],
    [1, world.someKey(random)],
  ]);
}

function someHeader(world: World, random: Random): string {
  if (random.chance(0.15)) return world.someKey(random);
  return random.chance(0.4) ? 'user:42' : random.pick(PRINTABLE);
}
