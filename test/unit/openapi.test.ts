import { Ajv2020 } from 'ajv/dist/2020.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { openapiDocument } from '../../openapi/document.ts';
import { createTestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';

type Json = Record<string, unknown>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options'];

let document: Json;
beforeAll(async () => {
  document = { ...(await openapiDocument()) };
});

describe('the OpenAPI document', () => {
  it('the OpenAPI document describes every field and gives an example of it', () => {
    const bare = fieldsOf(document, '').filter(({ field }) => !isDescribed(field));
    expect(bare.map(({ path }) => path)).toEqual([]);
  });

  it('the OpenAPI document names every operation, says what it does, and puts it under a described tag', () => {
    const tags = list(document.tags).map(({ name }) => name);
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { name, operation } of operations()) {
      expect(operation, name).toMatchObject({
        operationId: expect.stringMatching(/^[a-z][A-Za-z]+$/),
        summary: expect.stringMatching(/^[A-Z][^.]*$/),
        tags: [expect.toBeOneOf(tags)],
      });
    }
  });

  it('the OpenAPI document lists for every operation which problems it answers with', () => {
    const problem = { 'application/problem+json': { schema: refTo('Problem') } };
    for (const { name, operation } of operations()) {
      if (list(operation.tags).includes('Health' as never)) continue;
      expect(operation, name).toMatchObject({
        'x-error-codes': expect.arrayContaining(['INVALID_REQUEST', 'UNAVAILABLE']),
      });
      const failures = Object.entries(object(operation.responses)).filter(([it]) => it >= '400');
      for (const [status, answer] of failures) {
        expect(target(answer).content, `${name} ${status}`).toEqual(problem);
      }
      const expected = ['400', '500', '503', ...(isFree(operation) ? [] : ['401'])];
      expect(failures.map(([status]) => status)).toEqual(expect.arrayContaining(expected));
    }
  });

  it('the OpenAPI document gives every request body a name of its own', () => {
    const bodies = operations()
      .flatMap(({ operation }) => Object.values(object(at(operation, 'requestBody', 'content'))))
      .map((media) => object(media).schema);
    expect(bodies.length).toBeGreaterThan(10);
    for (const schema of bodies) expect(schema).toEqual({ $ref: expect.any(String) });
  });

  it('the OpenAPI document has no format that other programs do not know', () => {
    const text = JSON.stringify(document);
    const formats = [...text.matchAll(/"format":"([^"]+)"/g)].map(([, format]) => format);
    expect(new Set(formats)).toEqual(new Set(['date-time']));
  });

  it('the OpenAPI document gives every time the format date-time', () => {
    const named = /\/(\w+(At|Until|After|Before)|notBefore|from|to|time)$/;
    // What answers show is taken back in requests and not looked at: it has no format there.
    const times = fieldsOf(document, '').filter(
      ({ path, field }) => named.test(path) && !/ignored/.test(String(field.description)),
    );
    const without = times.filter(({ field }) => !JSON.stringify(field).includes('"date-time"'));
    expect(times.length).toBeGreaterThan(30);
    expect(without.map(({ path }) => path)).toEqual([]);
  });

  it('the OpenAPI document shows known values of answers as names that may become more', () => {
    const schemas = object(at(document, 'components', 'schemas'));
    const answers = operations().map(({ operation }) => operation.responses);
    const fields = namesIn(schemas, answers).flatMap((name) => fieldsOf(schemas[name], name));
    const closed = fields.filter(({ field }) => 'enum' in target(field));
    const open = fields.filter(
      ({ path, field }) =>
        /(code|status|action|interval)$/.test(path) && !JSON.stringify(field).includes('"integer"'),
    );
    expect(closed.map(({ path }) => path)).toEqual([]);
    expect(open.length).toBeGreaterThan(10);
    for (const { path, field } of open) {
      const known = [expect.objectContaining({ $ref: expect.any(String) }), { type: 'string' }];
      expect([known, [...known, { type: 'null' }]], path).toContainEqual(field.anyOf);
    }
  });

  it('the OpenAPI document describes no error more than once', () => {
    const responses = object(at(document, 'components', 'responses'));
    expect(Object.keys(responses)).toContain('Conflict');
    const own = operations().flatMap(({ name, operation }) =>
      Object.entries(object(operation.responses))
        .filter(([status, answer]) => status >= '400' && !('$ref' in object(answer)))
        .map(([status]) => `${name} ${status}`),
    );
    expect(own.filter((it) => !/authorize|readyz/.test(it))).toEqual([]);
  });

  it('the OpenAPI document requires every field of an answer but those of RFC 7662, so that none is ever left out', () => {
    const schemas = object(at(document, 'components', 'schemas'));
    const answers = operations().map(({ operation }) => operation.responses);
    const names = namesIn(schemas, answers).filter((name) => name !== 'Introspection');
    const shapes = [...answers, ...names.map((name) => schemas[name])];
    const optional = shapes.flatMap((shape) => fieldsOf(shape, '')).filter((it) => !it.required);
    expect(optional.map(({ path }) => path)).toEqual([]);
  });
});

describe('the answers of /v1/verify', () => {
  it('the answers of /v1/verify match the OpenAPI document, whatever the verdict', async () => {
    const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } });
    ajv.addSchema(document, 'openapi');
    const matches = ajv.compile({ $ref: 'openapi#/components/schemas/VerifyAnswer' });
    const fields = Object.keys(
      object(at(document, 'components', 'schemas', 'VerifyAnswer')).properties ?? {},
    );
    const database = await createTestDatabase();
    const instance = await launch(database.url);
    for (const answer of await verdicts(instance)) {
      expect(matches(answer), JSON.stringify(matches.errors)).toBe(true);
      expect(Object.keys(answer)).toEqual(fields);
    }
    await instance.stop();
    await database.drop();
  });
});

/** Real answers with different verdicts, from full to empty. */
async function verdicts({ call }: Instance): Promise<Json[]> {
  const body = {
    name: 'full',
    ownerId: 'customer_42',
    scopes: ['read'],
    resources: ['project:alpha'],
    metadata: { plan: 'pro' },
    expiresInSeconds: 3600,
  };
  const full = (await call('POST', '/v1/keys', { body })).body;
  const plain = (await call('POST', '/v1/keys', { body: { name: 'plain' } })).body;
  const verify = async (key: string, more: Json = {}) =>
    (await call('POST', '/v1/verify', { body: { key, ...more } })).body;
  const answers = [
    await verify(full.key),
    await verify(full.key, { requiredScopes: ['write'] }),
    await verify(plain.key),
    await verify('no key at all'),
  ];
  await call('POST', `/v1/keys/${full.id}/revoke`);
  answers.push(await verify(full.key));
  const codes = answers.map(({ code }) => code);
  expect(codes).toEqual(['VALID', 'INSUFFICIENT_SCOPE', 'VALID', 'NOT_FOUND', 'REVOKED']);
  return answers;
}

interface Field {
  path: string;
  field: Json;
  required: boolean;
}

/** What an object of the document refers to, or itself. */
function target(value: unknown): Json {
  const { $ref } = object(value);
  return typeof $ref === 'string'
    ? object(at(document, ...$ref.slice(2).split('/')))
    : object(value);
}

/** Every property and every parameter of the document. */
function fieldsOf(node: unknown, path: string): Field[] {
  if (typeof node !== 'object' || node === null) return [];
  const own = 'properties' in node ? Object.entries(object(node.properties)) : [];
  const required = 'required' in node ? list(node.required) : [];
  const fields = own.map(([name, field]) => ({
    path: `${path}/${name}`,
    field: object(field),
    required: required.includes(name as never),
  }));
  const parameters = 'parameters' in node ? list(node.parameters).map(target) : [];
  for (const field of parameters)
    fields.push({ path: `${path}?${field.name}`, field, required: true });
  // Examples may contain anything, including what looks like a schema.
  const below = Object.entries(node).filter(([name]) => name !== 'examples');
  return [...fields, ...below.flatMap(([name, child]) => fieldsOf(child, `${path}/${name}`))];
}

/** The schemas that are referenced, directly or through others. */
function namesIn(schemas: Json, node: unknown, known: string[] = []): string[] {
  const found = JSON.stringify(node).matchAll(/"#\/components\/schemas\/(\w+)"/g);
  for (const [, name = ''] of found) {
    if (known.includes(name)) continue;
    known.push(name);
    namesIn(schemas, schemas[name], known);
  }
  return known;
}

/** A schema that consists of described parts needs no example. */
function isDescribed(field: Json): boolean {
  if ('$ref' in field) return true;
  const schema = 'schema' in field ? { ...field, ...object(field.schema) } : field;
  const parts = [schema, object(schema.items), ...list(schema.anyOf)];
  const hasParts = parts.some((part) => '$ref' in part || 'properties' in part);
  return Boolean(schema.description) && (hasParts || 'examples' in schema || 'example' in schema);
}

/** A call that nobody authenticates for. */
function isFree({ security }: Json): boolean {
  return Array.isArray(security) && security.length === 0;
}

function operations() {
  return Object.entries(object(document.paths)).flatMap(([path, item]) =>
    Object.entries(object(item))
      .filter(([method]) => METHODS.includes(method))
      .map(([method, operation]) => ({ name: `${method} ${path}`, operation: object(operation) })),
  );
}

function at(node: Json, ...names: string[]): unknown {
  return names.reduce<unknown>((inner, name) => object(inner)[name], node);
}

function refTo(name: string) {
  return { $ref: `#/components/schemas/${name}` };
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value : [];
}
