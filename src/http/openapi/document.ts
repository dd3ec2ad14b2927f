import type { ErrorCode } from '../../errors.ts';
import { errorComponents, errorResponses } from './errors.ts';
import {
  answerHeaders,
  HEADERS,
  headerRefs,
  isConditionalRead,
  PARAMETERS,
  parameterRefs,
  requestHeaders,
} from './headers.ts';
import { nameSchemas } from './schemas.ts';

interface Parameter {
  required?: boolean;
  example?: unknown;
  schema?: { default?: unknown; examples?: unknown[] };
}

interface Operation {
  'x-error-codes'?: readonly ErrorCode[];
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content?: Record<string, { schema?: object }> } | object;
  responses?: Record<string, { headers?: object; $ref?: string }>;
}

interface Document {
  paths?: Record<string, Record<string, Operation>>;
  components?: { schemas?: object };
}

const NOT_MODIFIED = {
  description: 'You have the current state already.',
  headers: headerRefs(['X-Request-Id', 'ETag']),
};
const NOT_MODIFIED_REF = { $ref: '#/components/responses/NotModified' };

/** Completes what the routes say of themselves by what follows from it, and by the calls of receivers. */
export function completeDocument(document: object, webhooks: object): void {
  const { paths = {}, components = {} }: Document = { ...document };
  const codes = Object.values(paths).flatMap((operations) =>
    Object.entries(operations).flatMap(([method, operation]) => complete(method, operation)),
  );
  const named: Record<string, unknown> = {};
  const schemas = { ...Object(nameSchemas(components.schemas, named)) };
  Object.assign(document, {
    paths: nameSchemas(paths, named),
    webhooks: nameSchemas(resolveRefs(webhooks), named),
    components: {
      ...components,
      schemas: inOrder({ ...schemas, ...named }),
      responses: { ...errorComponents(codes), NotModified: NOT_MODIFIED },
      parameters: PARAMETERS,
      headers: HEADERS,
    },
  });
}

/** Returns the codes of its errors. */
function complete(method: string, operation: Operation): readonly ErrorCode[] {
  relaxBody(operation);
  relaxParameters(operation);
  const { 'x-error-codes': codes, responses = {} } = operation;
  if (!codes) return [];
  const answer = responses['200'] ?? responses['201'] ?? {};
  const call = { method, codes, answer };
  for (const [status, one] of Object.entries(responses)) {
    if (status < '300')
      one.headers = { ...headerRefs(answerHeaders(call, status)), ...one.headers };
  }
  const others = isConditionalRead(method, answer) ? { 304: NOT_MODIFIED_REF } : {};
  operation.responses = { ...others, ...errorResponses(codes), ...responses };
  const added = parameterRefs(requestHeaders(call));
  if (added.length > 0) operation.parameters = [...(operation.parameters ?? []), ...added];
  return codes;
}

/** A body without required fields is optional; the plugin declares every body as required. */
function relaxBody({ requestBody: body }: Operation): void {
  if (!body || !('content' in body) || !body.content) return;
  const schema = body.content['application/json']?.schema;
  if (schema && !('$ref' in schema || 'required' in schema)) body.required = false;
}

/** What has a default can be left out. What can be left out is not prefilled at /docs. */
function relaxParameters({ parameters = [] }: Operation): void {
  for (const parameter of parameters) {
    if (parameter.schema?.default !== undefined) parameter.required = false;
    if (parameter.required || parameter.example === undefined) continue;
    parameter.schema = { ...parameter.schema, examples: [parameter.example] };
    delete parameter.example;
  }
}

/** Routes have their references resolved by the plugin. */
function resolveRefs(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(resolveRefs);
  if (typeof part !== 'object' || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([name, value]) => [
      name,
      name === '$ref' && typeof value === 'string'
        ? `#/components/schemas/${value.replace(/#$/, '')}`
        : resolveRefs(value),
    ]),
  );
}

function inOrder(schemas: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
}
