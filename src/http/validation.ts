import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { FastifyRequest, FastifySchemaValidationError } from 'fastify';
import { type Static, type TSchema, Type } from 'typebox';
import { type FieldError, invalidField, KeywardError, pointerStep } from '../errors.ts';
import type { App } from './app-type.ts';
import { FORMATS } from './formats.ts';
import { registerJsonBodies } from './json-body.ts';
import { findStructureFault } from './json-structure.ts';
import { GATEWAY_ROUTE } from './single-headers.ts';

const MAX_ERRORS = 20;

/** Bodies are taken as they are; path, query and headers are text, which is read as numbers. */
export function registerValidation(app: App): void {
  registerJsonBodies(app);
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === 'body'
      ? orEmpty(EXACT.compile(schema))
      : plainIntegers(schema, TEXTUAL.compile(schema)),
  );
  refuseWhatIsNotDescribed(app);
}

/** A query or a body of a call that describes none is not understood, so it is refused. */
function refuseWhatIsNotDescribed(app: App): void {
  const nothing = Type.Object({}, { additionalProperties: false });
  app.addHook('onRoute', (route) => {
    if (!route.url.startsWith('/v1/') || !route.schema || route.schema.hide) return;
    route.schema.querystring ??= nothing;
  });
  const errorsOf = EXACT.compile(nothing);
  app.addHook('preValidation', async (request: FastifyRequest) => {
    const { body, routeOptions } = request;
    if (!routeOptions.url?.startsWith('/v1/') || routeOptions.url === GATEWAY_ROUTE) return;
    if (!isDecodable(request.url)) throw invalidField('/query', 'is not percent-encoded UTF-8');
    if (routeOptions.schema?.body) return;
    if (hasUnreadBody(request)) throw invalidField('/body', 'is not taken by this call');
    if (body === undefined || body === null || errorsOf(body)) return;
    throw validationProblem(errorsOf.errors ?? [], 'body');
  });
}

/** The parser of queries would take what it cannot decode as it is. */
function isDecodable(url: string): boolean {
  const start = url.indexOf('?');
  if (start === -1 || !url.includes('%', start)) return true;
  try {
    decodeURIComponent(url.slice(start));
    return true;
  } catch {
    return false;
  }
}

/** Bodies of GET are not parsed. */
function hasUnreadBody({ method, headers }: FastifyRequest): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** A missing body counts as an empty object, so that a call with optional fields needs none. */
function orEmpty(validate: ValidateFunction) {
  return (body: unknown) => {
    const failures = failuresOf(validate, body ?? {});
    return failures.length === 0 || failed(failures);
  };
}

function failed(validation: readonly Failure[]) {
  return { error: Object.assign(new Error(), { validation }) };
}

/** The structure first: the schema's own checks recurse. */
function failuresOf(validate: ValidateFunction, value: unknown): readonly Failure[] {
  const fault = findStructureFault(value);
  if (fault) return [failure(fault.pointer, fault.detail)];
  return validate(value) ? [] : (validate.errors ?? []);
}

function failure(instancePath: string, message: string): Failure {
  return { instancePath, schemaPath: '', keyword: 'keyward', params: {}, message };
}

const PLAIN_INTEGER = /^(0|-?[1-9]\d*)$/;

/** Text is read as a number only if it is written as one: not `0x3`, `1e1` or ` 3`. */
function plainIntegers(schema: object, validate: ValidateFunction) {
  const { properties = {} }: { properties?: Record<string, { type?: string }> } = { ...schema };
  const names = Object.keys(properties).filter((name) => properties[name]?.type === 'integer');
  return (data: Record<string, unknown>) => {
    const odd = names.filter((name) => {
      const text = data[name];
      return typeof text === 'string' && !PLAIN_INTEGER.test(text);
    });
    const failures = odd.map((name) => failure(pointerStep(name), 'must be a decimal integer'));
    if (failures.length > 0) return failed(failures);
    return validate(data) || failed(validate.errors ?? []);
  };
}

function createAjv(options: { coerceTypes: boolean | 'array' }): Ajv {
  const ajv = new Ajv({
    ...options,
    allErrors: true,
    removeAdditional: false,
    useDefaults: true,
    allowUnionTypes: true,
    strict: false,
    addUsedSchema: false,
  });
  for (const [name, { accepts }] of Object.entries(FORMATS)) ajv.addFormat(name, accepts);
  return ajv;
}

/** One for all: each Ajv would compile the schema of schemas again. */
const EXACT = createAjv({ coerceTypes: false });
const TEXTUAL = createAjv({ coerceTypes: 'array' });

/** Checks a value as a body is checked; the pointers of its errors begin at the value. */
export function validatorOf(schema: TSchema): (value: unknown) => FieldError[] {
  const validate = EXACT.compile(schema);
  return (value) => toFieldErrors(failuresOf(validate, value), '').slice(0, MAX_ERRORS);
}

/** The same check as a type guard. */
export function guardOf<Schema extends TSchema>(schema: Schema) {
  const errorsOf = validatorOf(schema);
  return (value: unknown): value is Static<Schema> => errorsOf(value).length === 0;
}

/** A value of this type, or what is wrong with it. */
export type Parsed<T> = { value: T } | { errors: FieldError[] };

/** Parses a value by its schema, for items of a list that are answered one by one. */
export function parserOf<Schema extends TSchema>(
  schema: Schema,
): (value: unknown) => Parsed<Static<Schema>> {
  const errorsOf = validatorOf(schema);
  const isValid = guardOf(schema);
  return (value) => {
    if (value instanceof FaultyItem) return { errors: value.errors };
    return isValid(value) ? { value } : { errors: errorsOf(value) };
  };
}

/**
 * Validates the body of a list-shaped call without the items of its list, so that the call can
 * answer each of them on its own.
 */
export function envelopeCompiler(schema: TSchema, list: string) {
  const { properties }: { properties?: Record<string, object> } = { ...schema };
  const envelope = {
    ...schema,
    properties: { ...properties, [list]: { ...properties?.[list], items: {} } },
  };
  const validate = orEmpty(EXACT.compile(envelope));
  return ({ httpPart, schema: other }: { httpPart?: string; schema: object }) =>
    httpPart === 'body'
      ? (body: unknown) => {
          setItemsAside(body, list, findStructureFault);
          return validate(body);
        }
      : TEXTUAL.compile(other);
}

/** An item that no check can look into is replaced by what is wrong with it. */
class FaultyItem {
  readonly errors: FieldError[];

  constructor(fault: FieldError) {
    this.errors = [fault];
  }
}

/** So that the other items of a list can be looked at. The parser of the items reports the fault. */
export function setItemsAside(
  body: unknown,
  list: string,
  faultOf: (item: unknown) => FieldError | null,
): void {
  const items: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, list) : null;
  if (!Array.isArray(items)) return;
  items.forEach((item, index) => {
    const fault = faultOf(item);
    if (fault) items[index] = new FaultyItem(fault);
  });
}

/** The part of a request that a schema describes, as the beginning of a pointer. */
const PARTS: Record<string, string> = {
  body: '/body',
  querystring: '/query',
  params: '/path',
  headers: '/headers',
};

export function validationProblem(
  errors: readonly FastifySchemaValidationError[],
  context: string | undefined,
): KeywardError {
  const part = PARTS[context ?? 'body'] ?? '';
  const fields = toFieldErrors(errors, part);
  const first = fields[0];
  const detail = first ? `${first.pointer}: ${first.detail}` : undefined;
  return new KeywardError('INVALID_REQUEST', detail, fields.slice(0, MAX_ERRORS));
}

type Failure = FastifySchemaValidationError | ErrorObject;

function toFieldErrors(failures: readonly Failure[], part: string): FieldError[] {
  return distinct(failures.filter(isSpecific).map((failure) => toFieldError(failure, part)));
}

/** What failed inside an alternative says more than that the alternative failed. */
function isSpecific(failure: Failure): boolean {
  return !['anyOf', 'oneOf', 'if'].includes(failure.keyword);
}

function toFieldError(failure: Failure, part: string): FieldError {
  const pointer = part + failure.instancePath + missingOrExtra(failure);
  return { pointer, detail: explain(failure) };
}

function missingOrExtra({ params }: Failure): string {
  const { missingProperty, additionalProperty, propertyName } = params;
  const name = missingProperty ?? additionalProperty ?? propertyName;
  return typeof name === 'string' ? pointerStep(name) : '';
}

function explain({ keyword, params, message = 'is not valid' }: Failure): string {
  switch (keyword) {
    case 'required':
      return 'is required';
    case 'additionalProperties':
      return 'is not a field of this call';
    case 'uniqueItems':
      return 'must not contain the same item twice';
    case 'format':
      return FORMATS[String(params.format)]?.rule ?? message;
    case 'enum':
      return `must be one of ${String(params.allowedValues).replaceAll(',', ', ')}`;
    default:
      return message;
  }
}

function distinct(errors: readonly FieldError[]): FieldError[] {
  const byText = new Map(errors.map((error) => [`${error.pointer} ${error.detail}`, error]));
  return [...byText.values()];
}
