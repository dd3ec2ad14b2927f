import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { FastifySchemaValidationError } from 'fastify';
import type { Static, TSchema } from 'typebox';
import { type FieldError, KeywardError } from '../errors.ts';
import type { App } from './app-type.ts';
import { FORMATS } from './formats.ts';

const MAX_ERRORS = 20;

/** Bodies are taken as they are; path, query and headers are text, which is read as numbers. */
export function registerValidation(app: App): void {
  app.removeContentTypeParser('text/plain');
  const exact = createAjv({ coerceTypes: false });
  const textual = createAjv({ coerceTypes: 'array' });
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === 'body' ? orEmpty(exact.compile(schema)) : textual.compile(schema),
  );
}

/** A missing body counts as an empty object, so that a call with optional fields needs none. */
function orEmpty(validate: ValidateFunction) {
  return (body: unknown) =>
    validate(body ?? {}) || { error: Object.assign(new Error(), { validation: validate.errors }) };
}

function createAjv(options: { coerceTypes: boolean | 'array' }): Ajv {
  const ajv = new Ajv({
    ...options,
    allErrors: true,
    removeAdditional: false,
    useDefaults: true,
    allowUnionTypes: true,
    strict: false,
  });
  for (const [name, { accepts }] of Object.entries(FORMATS)) ajv.addFormat(name, accepts);
  return ajv;
}

/** Checks a value as a body is checked; the pointers of its errors begin at the value. */
export function validatorOf(schema: TSchema): (value: unknown) => FieldError[] {
  const validate = createAjv({ coerceTypes: false }).compile(schema);
  return (value) =>
    validate(value) ? [] : toFieldErrors(validate.errors ?? [], '').slice(0, MAX_ERRORS);
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
  return (value) => (isValid(value) ? { value } : { errors: errorsOf(value) });
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
  const validate = orEmpty(createAjv({ coerceTypes: false }).compile(envelope));
  return () => validate;
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

/** One step of a JSON pointer (RFC 6901). */
export function pointerStep(name: string): string {
  return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
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
