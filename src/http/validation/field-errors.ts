import type { ErrorObject } from 'ajv';
import type { FastifySchemaValidationError } from 'fastify';
import { type FieldError, type KeywardError, pointerStep, refusedFields } from '../../errors.ts';
import { FORMATS } from './formats.ts';
import { PATTERN_RULES } from './patterns.ts';

/** Of a value that is wrong all over. */
const MAX_ERRORS = 10;

/** What a validator says is wrong. */
export type Failure = FastifySchemaValidationError | ErrorObject;

/** The part of a request that a schema describes, as the beginning of a pointer. */
const PARTS: Record<string, string> = {
  body: '/body',
  querystring: '/query',
  params: '/path',
  headers: '/headers',
};

export function validationProblem(
  failures: readonly Failure[],
  context: string | undefined,
): KeywardError {
  const part = PARTS[context ?? 'body'] ?? '';
  return refusedFields('INVALID_REQUEST', toFieldErrors(failures, part));
}

/** The first fields that are wrong, each once. Their pointers begin with the part. */
export function toFieldErrors(failures: readonly Failure[], part: string): FieldError[] {
  const errors = new Map<string, FieldError>();
  for (const failure of failures) {
    if (errors.size === MAX_ERRORS) break;
    if (!isSpecific(failure, failures)) continue;
    const error = toFieldError(failure, part);
    errors.set(`${error.pointer} ${error.detail}`, error);
  }
  return [...errors.values()];
}

/**
 * What failed inside an alternative says more than that the alternative failed, or that null would be
 * one, too.
 */
function isSpecific({ keyword, params, schemaPath }: Failure, all: readonly Failure[]): boolean {
  if (['anyOf', 'oneOf', 'if'].includes(keyword)) return false;
  return all.length === 1 || params.type !== 'null' || !schemaPath.includes('/anyOf/');
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
    case 'pattern':
      return PATTERN_RULES[String(params.pattern)] ?? message;
    case 'enum':
      return `must be one of ${String(params.allowedValues).replaceAll(',', ', ')}`;
    default:
      return boundRule(keyword, Number(params.limit)) ?? message;
  }
}

function boundRule(keyword: string, limit: number): string | undefined {
  switch (keyword) {
    case 'minLength':
      return limit === 1 ? 'must not be empty' : `must have at least ${limit} characters`;
    case 'maxLength':
      return `must have at most ${limit} characters`;
    case 'minItems':
      return limit === 1 ? 'must not be empty' : `must have at least ${limit} items`;
    case 'maxItems':
      return `must have at most ${limit} items`;
    case 'minimum':
      return `must be ${limit} or more`;
    case 'maximum':
      return `must be ${limit} or less`;
    default:
      return undefined;
  }
}
