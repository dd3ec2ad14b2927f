import type { Random } from '../history/harness/random.ts';
import type { Operation, Parameter } from './document.ts';
import { headersFor } from './headers.ts';
import type { HttpRequest } from './http.ts';
import { corrupt, type Json, TEXTS, textOfBody, valueFor } from './values.ts';
import type { World } from './world.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'];
const PATHS = ['/', '/v1', '/v2/verify', '/v1/keys/', '//v1/keys', '/docs', '/openapi.json', '*'];
const FORM_TYPE = 'application/x-www-form-urlencoded';
/** Nothing listens there. */
const RECEIVER = 'http://127.0.0.1:9/hooks';
const SEGMENTS = [
  '..',
  '%2e%2e',
  '%00',
  '%ff',
  '%',
  '%zz',
  '%F0%9F%94%91',
  'key_0000000000000000000000',
  'mgmt_0000000000000000000000',
  '__proto__',
  'constructor',
  ':id',
  '*',
  'a%2Fb',
  'x'.repeat(129),
  'x'.repeat(9000),
];

/** A request for an operation of the document, any part of which may be invalid. */
export interface FuzzedRequest extends HttpRequest {
  /** Null if the request belongs to no operation. */
  operation: Operation | null;
}

export function makeRequest(
  operations: readonly Operation[],
  world: World,
  random: Random,
): FuzzedRequest {
  if (random.chance(0.02)) return strayRequest(world, random);
  const operation = random.pick(operations);
  const wrongMethod = random.chance(0.02);
  const method = wrongMethod ? random.pick(METHODS) : operation.method;
  const body = bodyFor(operation, world, random);
  return {
    operation: method === operation.method ? operation : null,
    method,
    path: pathFor(operation, world, random) + queryFor(operation, world, random),
    headers: {
      ...headersFor(operation, body, world, random),
      ...signatureFor(operation, body, world, random),
    },
    body,
  };
}

function strayRequest(world: World, random: Random): FuzzedRequest {
  const known = random.pick(world.keyIds);
  return {
    operation: null,
    method: random.pick(METHODS),
    path: random.pick([...PATHS, `/v1/keys/${known}/nothing`, `/v1/keys/${known}//revoke`]),
    headers: { authorization: `Bearer ${world.rootKey}` },
    body: null,
  };
}

function pathFor({ path, parameters }: Operation, world: World, random: Random): string {
  return path.replace(/\{(\w+)\}/, (_, name: string) => {
    if (random.chance(0.12)) return random.pick(SEGMENTS);
    if (name === 'id') return random.pick(world.idsFor(path));
    const { schema = {}, example } = parameters.find((each) => each.name === name) ?? {};
    const value = random.chance(0.3) ? example : valueFor(schema, random);
    return encodeURIComponent(String(value ?? '').toWellFormed());
  });
}

/** Without it nothing is read of what GitHub reports. */
function signatureFor({ id }: Operation, body: Buffer | null, world: World, random: Random) {
  const isSigned = id === 'reportLeaksByGithub' && body !== null && random.chance(0.8);
  return isSigned ? world.signatureOf(body) : {};
}

function queryFor({ parameters }: Operation, world: World, random: Random): string {
  const taken = parameters.filter((each) => each.in === 'query' && random.chance(0.2));
  const pairs = taken.flatMap((each) => {
    const values = parameterValues(each, world, random);
    return values.map((value) => `${each.name}=${value}`);
  });
  if (random.chance(0.03)) pairs.push(random.pick(['__proto__=1', 'a[b]=c', '=', '&&', 'x=%zz']));
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** Percent-encoded, except for values that are meant to be malformed. */
function parameterValues({ name, schema, example }: Parameter, world: World, random: Random) {
  if (name === 'cursor' && world.cursors.length > 0 && random.chance(0.8)) {
    const cursor = random.pick(world.cursors);
    return [random.chance(0.7) ? cursor : encodeURIComponent(corruptedCursor(cursor, random))];
  }
  if (name === 'workspaceId' && random.chance(0.8)) return [random.pick(world.workspaceIds)];
  if (random.chance(0.05)) return [random.pick(['%00', '%ff', '%', '%ud800', '+', ''])];
  const usual = random.chance(0.4) ? example : valueFor(schema, random);
  const value = random.chance(0.15) ? random.pick(TEXTS) : usual;
  const all = Array.isArray(value) ? value : [value];
  const repeated = random.chance(0.04) ? [...all, ...all] : all;
  return repeated.map((each) => encodeURIComponent(String(each ?? '').toWellFormed()));
}

/** Decodes a cursor, changes it in one place and encodes it again. */
function corruptedCursor(cursor: string, random: Random): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  const place = random.between(0, text.length);
  const insert = random.pick(['"', '9'.repeat(20), '\0', 'x', '[]', 'null', 'Infinity', '-']);
  const changed = text.slice(0, place) + insert + text.slice(place + random.between(0, 3));
  return random.chance(0.8) ? Buffer.from(changed).toString('base64url') : changed;
}

function bodyFor({ id, body, bodyType }: Operation, world: World, random: Random): Buffer | null {
  if (!body) return random.chance(0.05) ? Buffer.from('{"name":"none wanted"}') : null;
  if (random.chance(0.03)) return null;
  const someKey = () =>
    id.startsWith('reportLeaks') ? world.leakedKey(random) : world.someKey(random);
  let value = known(valueFor(body, random), someKey, world, random);
  while (random.chance(0.3)) value = corrupt(value, random);
  return bodyType === FORM_TYPE ? formOf(value, random) : textOfBody(value, random);
}

/** The fields as a form, some of them twice, or not encoded. */
function formOf(value: Json, random: Random): Buffer {
  const pairs = Object.entries(Object(value)).map(([name, field]): [string, string] => [
    name,
    (typeof field === 'object' ? JSON.stringify(field) : String(field)).toWellFormed(),
  ]);
  if (random.chance(0.05)) pairs.push(...pairs);
  if (random.chance(0.05))
    pairs.push([random.pick(TEXTS).toWellFormed(), random.pick(TEXTS).toWellFormed()]);
  if (random.chance(0.05)) return Buffer.from(pairs.map((pair) => pair.join('=')).join('&'));
  return Buffer.from(String(new URLSearchParams(pairs)));
}

/** Puts existing keys, ids and workspaces into the fields for them. */
function known(value: Json, someKey: () => string, world: World, random: Random): Json {
  if (Array.isArray(value)) return value.map((each) => known(each, someKey, world, random));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      if (name === 'key' || name === 'token') return [name, someKey()];
      if (name === 'workspaceId') return [name, random.pick(world.workspaceIds)];
      if (name === 'ids') return [name, [random.pick(world.keyIds)]];
      if (name === 'deliveryId') return [name, random.pick(world.deliveryIds)];
      if (name === 'url') return [name, random.chance(0.8) ? RECEIVER : field];
      if (random.chance(0.01)) return [name, world.someKey(random)];
      return [name, known(field, someKey, world, random)];
    }),
  );
}
