import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openapiDocument } from '../../openapi/document.ts';
import { insertAlert } from '../support/alerts.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Answer, type Instance, launch } from '../support/instance.ts';
import { putWorkspace } from '../support/pair.ts';
import { createWebhook } from '../support/webhook-calls.ts';

interface Parameter {
  $ref?: string;
  in: string;
  name: string;
  required?: boolean;
  example?: unknown;
  schema: { default?: unknown; examples?: unknown[] };
}

interface Schema {
  properties: Record<string, { examples?: unknown[]; $ref?: string }>;
}

interface Operation {
  operationId: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { example?: object; schema: { $ref: string } }> };
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** Of two that exclude each other, one is sent. */
const INSTEAD_OF: Record<string, string> = { ids: 'ownerId', ownerId: 'ids' };
/** The two ends of a range. */
const TOGETHER: Record<string, string> = { from: 'to', to: 'from' };
/** Every page and every webhook has its own. */
const WITHOUT_EXAMPLE = new Set(['cursor', 'deliveryId']);

const document: Document = JSON.parse(JSON.stringify(await openapiDocument()));
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, ...operation })),
);
type Call = (typeof operations)[number];
const named = operations.map((call): [string, Call] => [call.operationId, call]);

/** Calls of gateways, of holders of keys and of GitHub have credentials of their own. */
const OWN_CREDENTIAL = new Set(['authorize', 'revokeOwnKey', 'reportLeaksByGithub']);

describe('the examples of the OpenAPI document', () => {
  let database: TestDatabase;
  let instance: Instance;
  let count = 0;
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema(document, 'openapi');

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url, { leakReports: true });
    // So that no list is empty.
    for (const make of Object.values(things)) await make();
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });

  /** What the id in a path can be of: a key with credits, a workspace, a management key, an alert, a webhook. */
  const things: Record<string, () => Promise<string>> = {
    keys: () => {
      const body = { name: 'a key', ownerId: 'customer_42', credits: { remaining: 1000 } };
      return idOf(instance.call('POST', '/v1/keys', { body }));
    },
    workspaces: async () => 'acme',
    'management-keys': () => {
      const body = { name: 'a service', permissions: ['keys:verify'] };
      return idOf(instance.call('POST', '/v1/management-keys', { body }));
    },
    alerts: async () => insertAlert(instance, 'default', (await things.keys?.()) ?? ''),
    webhooks: async () => {
      const workspaceId = `with-a-webhook-${++count}`;
      await putWorkspace(instance, workspaceId);
      return (await createWebhook(instance, { workspaceId })).id;
    },
  };
  const idOf = async (answer: Promise<Answer>): Promise<string> => (await answer).body.id;

  const send = async (
    call: Call,
    query: Record<string, unknown> = {},
    body?: object,
  ): Promise<Answer> => {
    const { path, method, parameters = [] } = call;
    await instance.call('PUT', '/v1/workspaces/acme', { body: {} });
    const kind = /([a-z-]+)\/\{id\}/.exec(path)?.[1];
    const id = kind === undefined ? '' : ((await things[kind]?.()) ?? '');
    const url = path
      .replace('{id}', id)
      .replace(/\{(\w+)\}/, (_, name) =>
        String(parameters.find((it) => it.name === name)?.example),
      );
    const pairs = Object.entries(query).flatMap(([name, value]) =>
      [value].flat().map((one): [string, string] => [name, String(one)]),
    );
    const search = new URLSearchParams(pairs);
    return instance.call(method.toUpperCase(), `${url}?${search}`, body && encoded(call, body));
  };

  /** The answer has a status of success, and is what the document says of it. */
  const expectDocumented = (call: Call, answer: Answer) => {
    expect(answer.status, `${call.operationId}: ${answer.text}`).toBeLessThan(300);
    const schema = call.responses[answer.status]?.content?.['application/json']?.schema;
    if (!schema) return;
    const matches = ajv.compile({ $id: `${call.operationId}-${Math.random()}`, ...local(schema) });
    expect(matches(answer.body), JSON.stringify(matches.errors)).toBe(true);
  };

  it.each(named.filter(([name]) => !OWN_CREDENTIAL.has(name)))(
    'the example of %s succeeds and is answered as documented',
    async (_name, call) => {
      const required = (call.parameters ?? []).filter((it) => it.in === 'query' && it.required);
      const query = Object.fromEntries(required.map((it) => [it.name, it.example]));
      expectDocumented(call, await send(call, query, exampleOf(call)));
    },
  );

  it.each(named.filter(([name, call]) => call.requestBody && !OWN_CREDENTIAL.has(name)))(
    'the example of each field of %s is accepted',
    async (_name, call) => {
      const base = exampleOf(call) ?? {};
      for (const [field, value] of fieldExamples(call)) {
        const { [INSTEAD_OF[field] ?? '']: _, ...rest }: Record<string, unknown> = { ...base };
        expectDocumented(call, await send(call, {}, { ...rest, [field]: value }));
      }
    },
  );

  it.each(named.filter(([, call]) => queryExamples(call).length > 0))(
    'the example of each query parameter of %s is accepted',
    async (_name, call) => {
      const examples = new Map(queryExamples(call));
      for (const [name, value] of examples) {
        const other = TOGETHER[name] ?? name;
        const query = { [other]: examples.get(other), [name]: value };
        expectDocumented(call, await send(call, query, exampleOf(call)));
      }
    },
  );
});

const FORM = 'application/x-www-form-urlencoded';

/** As JSON, or as the form that the call takes. */
function encoded({ requestBody }: Call, body: object) {
  if (requestBody?.content['application/json']) return { body };
  const pairs = Object.entries(body).map(([name, value]): [string, string] => [name, `${value}`]);
  return { body: `${new URLSearchParams(pairs)}`, headers: { 'content-type': FORM } };
}

function contentOf({ requestBody }: Call) {
  return requestBody?.content['application/json'] ?? requestBody?.content[FORM];
}

function exampleOf(call: Call): object | undefined {
  if (!call.requestBody) return undefined;
  const example = contentOf(call)?.example;
  if (!example) throw new Error('a body has an example');
  return example;
}

function fieldExamples(call: Call): [string, unknown][] {
  const ref = contentOf(call)?.schema.$ref ?? '';
  const schema = document.components.schemas[ref.split('/').at(-1) ?? ''];
  return Object.entries(schema?.properties ?? {})
    .filter(([name, { examples }]) => examples !== undefined && !WITHOUT_EXAMPLE.has(name))
    .map(([name, { examples = [] }]) => [name, examples[0]]);
}

function queryExamples({ parameters = [] }: Call): [string, unknown][] {
  return parameters
    .filter((it) => it.in === 'query' && !WITHOUT_EXAMPLE.has(it.name))
    .map(({ name, example, schema }) => [name, example ?? schema.examples?.[0] ?? schema.default]);
}

/** References into the document, from outside of it. */
function local(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/'));
}
