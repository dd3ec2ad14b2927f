import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifySchemaValidationError } from 'fastify';
import type { TSchema } from 'typebox';
import { isIpAddress, parseIpRange } from '../domain/ip.ts';
import { type FieldError, KeywardError } from '../errors.ts';
import type { App } from './app-type.ts';

const ERRORS_SHOWN = 20;

const FORMATS: Record<string, (text: string) => boolean> = {
  text: isStorableText,
  'ip-address': isIpAddress,
  'ip-range': (text) => parseIpRange(text) !== null,
  instant: isInstant,
};

/** Bodies are taken as they are; path, query and headers are text, so numbers are read out of it. */
export function registerValidation(app: App): void {
  app.removeContentTypeParser('text/plain');
  const exact = validator({ coerceTypes: false });
  const textual = validator({ coerceTypes: 'array' });
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === 'body' ? orEmpty(exact.compile(schema)) : textual.compile(schema),
  );
}

/** No body at all counts as an empty object, so that a call with optional fields needs none. */
function orEmpty(validate: ValidateFunction) {
  return (body: unknown) =>
    validate(body ?? {}) || { error: Object.assign(new Error(), { validation: validate.errors }) };
}

function validator(options: { coerceTypes: boolean | 'array' }): Ajv {
  const ajv = new Ajv({
    ...options,
    allErrors: true,
    removeAdditional: false,
    useDefaults: true,
    allowUnionTypes: true,
    strict: false,
  });
  addFormats.default(ajv);
  for (const [name, validate] of Object.entries(FORMATS)) ajv.addFormat(name, validate);
  return ajv;
}

/** The check that bodies get, for what comes another way; its pointers begin within the value. */
export function validatorOf(schema: TSchema): (value: unknown) => FieldError[] {
  const validate = validator({ coerceTypes: false }).compile(schema);
  return (value) =>
    validate(value) ? [] : fieldErrors(validate.errors ?? [], '').slice(0, ERRORS_SHOWN);
}

/** Text that Postgres can store and people can read: no control characters, no half characters. */
function isStorableText(text: string): boolean {
  return text.trim() !== '' && text.isWellFormed() && !/[^\P{Cc}\t\n]/u.test(text);
}

const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})T([01]\d|2[0-3]):\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/i;
/** From 1970 up to the last year of four digits in UTC: what Postgres and Date write alike. */
const LAST_INSTANT = Date.UTC(10_000, 0) - 1;

/** RFC 3339 with an offset, of a day that exists. */
function isInstant(text: string): boolean {
  const match = INSTANT.exec(text);
  const time = Date.parse(text);
  if (!match || !(time >= 0 && time <= LAST_INSTANT)) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

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
  const fields = fieldErrors(errors, part);
  const first = fields[0];
  const detail = first ? `${first.pointer}: ${first.detail}` : undefined;
  return new KeywardError('INVALID_REQUEST', detail, fields.slice(0, ERRORS_SHOWN));
}

type Failure = FastifySchemaValidationError | ErrorObject;

function fieldErrors(errors: readonly Failure[], part: string): FieldError[] {
  return distinct(errors.filter(isTelling).map((error) => fieldError(error, part)));
}

/** A failed alternative is told by what failed within it. */
function isTelling(error: Failure): boolean {
  return !['anyOf', 'oneOf', 'if'].includes(error.keyword);
}

function fieldError(error: Failure, part: string): FieldError {
  return { pointer: part + error.instancePath + missingOrExtra(error), detail: explain(error) };
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

const FORMAT_HELP: Record<string, string> = {
  text: 'must be text that is not blank, without control characters or unpaired surrogates',
  'ip-address': 'must be an IPv4 or IPv6 address such as 203.0.113.7 or 2001:db8::1',
  'ip-range': 'must be an IP address or a CIDR range such as 203.0.113.0/24 or 2001:db8::/32',
  instant: 'must be an RFC 3339 time of an existing day such as 2030-01-31T12:00:00Z',
};

function explain(error: Failure): string {
  switch (error.keyword) {
    case 'required':
      return 'is required';
    case 'additionalProperties':
      return 'is not a field of this call';
    case 'uniqueItems':
      return 'must not contain the same item twice';
    case 'format':
      return FORMAT_HELP[String(error.params.format)] ?? error.message ?? 'is not valid';
    case 'enum':
      return `must be one of ${String(error.params.allowedValues).replaceAll(',', ', ')}`;
    default:
      return error.message ?? 'is not valid';
  }
}

function distinct(errors: readonly FieldError[]): FieldError[] {
  const seen = new Map(errors.map((error) => [`${error.pointer} ${error.detail}`, error]));
  return [...seen.values()];
}
