import type { Instance } from './instance.ts';
import { takesManagementKey } from './operations.ts';

/** The part of JSON Schema by which the document describes requests. */
export interface FieldSchema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  anyOf?: FieldSchema[];
  format?: string;
  pattern?: string;
  readOnly?: boolean;
  examples?: unknown[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  items?: FieldSchema;
  required?: string[];
  properties?: Record<string, FieldSchema>;
}

interface Parameter {
  in: string;
  name: string;
  schema: FieldSchema;
  example?: string;
}

interface Described {
  operationId: string;
  security?: object[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: FieldSchema }> };
}

interface Document {
  paths: Record<string, Record<string, Described>>;
  components?: { schemas?: Record<string, FieldSchema> };
}

/** A call under /v1, as the OpenAPI document describes it. */
export interface DescribedCall {
  id: string;
  method: string;
  /** With `{id}`; other parameters are examples. */
  path: string;
  query: Parameter[];
  /** Null if it takes none. */
  body: FieldSchema | null;
  /** Whether a management key authenticates it. */
  isManaged: boolean;
}

/** Every call under /v1 that an instance describes, but those that take a form, by rules of their own. */
export async function describedCalls(instance: Instance): Promise<DescribedCall[]> {
  const document: Document = (await instance.call('GET', '/openapi.json', { as: null })).body;
  return Object.entries(document.paths)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([, described]) => !takesForm(described))
        .map(([method, described]) => ({
          id: described.operationId,
          method: method.toUpperCase(),
          path: filledIn(path, described.parameters ?? []),
          query: (described.parameters ?? []).filter((it) => it.in === 'query'),
          body: resolved(bodyOf(described), document),
          isManaged: takesManagementKey(described.security),
        })),
    );
}

function takesForm({ requestBody }: Described): boolean {
  return requestBody !== undefined && bodyOf({ requestBody }) === null;
}

function filledIn(path: string, parameters: Parameter[]): string {
  return parameters
    .filter((it) => it.in === 'path' && it.name !== 'id')
    .reduce((filled, { name, example }) => filled.replace(`{${name}}`, example ?? ''), path);
}

/** The schema of the body of one call. */
export async function bodySchema(instance: Instance, id: string): Promise<FieldSchema> {
  const call = (await describedCalls(instance)).find((it) => it.id === id);
  if (!call?.body) throw new Error(`${id} has no body`);
  return call.body;
}

function bodyOf({ requestBody }: Pick<Described, 'requestBody'>): FieldSchema | null {
  return requestBody?.content['application/json']?.schema ?? null;
}

/** Without references, wherever they are. */
function resolved(schema: FieldSchema | null, document: Document): FieldSchema | null {
  if (schema === null) return null;
  const text = JSON.stringify(schema, (_name, value) => {
    if (typeof value?.$ref !== 'string') return value;
    const { $ref, ...beside } = value;
    return { ...document.components?.schemas?.[$ref.split('/').at(-1)], ...beside };
  });
  return JSON.parse(text);
}

export function fieldsOf({ properties = {} }: FieldSchema): [string, FieldSchema][] {
  return Object.entries(properties).filter(([, field]) => !field.readOnly);
}

/** The fields of a body as an answer shows them. */
export function shownFields(
  schema: FieldSchema,
  shown: Record<string, unknown>,
): Record<string, unknown> {
  const names = fieldsOf(schema).map(([name]) => name);
  return Object.fromEntries(names.filter((name) => name in shown).map((it) => [it, shown[it]]));
}

export function exampleOf(schema: FieldSchema): unknown {
  const { examples = [], anyOf = [], type, items = {} } = schema;
  const given = examples[0] ?? anyOf[0]?.examples?.[0];
  if (given !== undefined) return given;
  if (type === 'array') return [exampleOf(items)];
  return type === 'object' ? leastBody(schema) : null;
}

/** A body with what must be given. */
export function leastBody({ required = [], properties = {} }: FieldSchema): object {
  return Object.fromEntries(required.map((name) => [name, exampleOf(properties[name] ?? {})]));
}

/** Values that the schema allows: its examples, what its bounds just let through, and null. */
export function allowedValues(schema: FieldSchema): unknown[] {
  const { anyOf, examples = [] } = schema;
  if (anyOf)
    return anyOf.flatMap((one) => allowedValues(one.type === 'null' ? one : { ...one, examples }));
  if (schema.enum) return schema.enum;
  return [...(schema.examples ?? []), ...extremes(schema)];
}

function extremes(schema: FieldSchema): unknown[] {
  switch (schema.type) {
    case 'null':
      return [null];
    case 'boolean':
      return [true, false];
    case 'integer':
      return [schema.minimum, schema.maximum].filter((bound) => bound !== undefined);
    case 'string':
      return longest(schema);
    case 'array':
      return (schema.minItems ?? 0) === 0 ? [[], ...fullLists(schema)] : fullLists(schema);
    case 'object':
      return variants(schema);
    default:
      return [];
  }
}

function longest({ format, pattern, maxLength }: FieldSchema): string[] {
  if (maxLength === undefined) return [];
  if (format === 'date-time') return ['2999-12-31T23:59:59.999Z'];
  const text = 'x'.repeat(maxLength);
  if (pattern !== undefined) return new RegExp(pattern).test(text) ? [text] : [];
  return format === 'line' || format === 'text' ? [text, '\u05e9 \u{1f468}\u200d\u{1f469}'] : [];
}

function fullLists({ items = {}, maxItems = 100 }: FieldSchema): unknown[] {
  if (items.type === 'object') return allowedValues(items).map((value) => [value]);
  const isText = items.type === 'string' && items.enum === undefined && items.format !== 'ip-range';
  return isText ? [Array.from({ length: maxItems }, (_, index) => `x${index}`)] : [];
}

/** An example of the object with each of its fields at each of their values. */
function variants(schema: FieldSchema): object[] {
  const example = { ...leastBody(schema), ...Object(schema.examples?.[0] ?? {}) };
  return fieldsOf(schema).flatMap(([name, field]) =>
    allowedValues(field).map((value) => ({ ...example, [name]: value })),
  );
}
