import { Ajv } from 'ajv';
import { pointerStep } from '../../errors.ts';
import type { Failure } from './field-errors.ts';
import { FORMATS } from './formats.ts';
import { findStructureFault } from './json-structure.ts';

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

/**
 * Validates a value as it is, its structure first: the schema's own checks recurse, and look at every
 * value before they report. `list` names a field whose items nothing looks at yet.
 */
export function valueValidator(
  schema: object,
  list?: string,
): (value: unknown) => readonly Failure[] {
  const validate = EXACT.compile(schema);
  return (value) => {
    const fault = findStructureFault(list === undefined ? value : without(value, list));
    if (fault) return [failure(fault.pointer, fault.detail)];
    return validate(value) ? [] : (validate.errors ?? []);
  };
}

/** A missing body counts as an empty object, so that a call with optional fields needs none. */
export function bodyValidator(schema: object, list?: string) {
  const failuresOf = valueValidator(schema, list);
  return (body: unknown) => outcome(failuresOf(body ?? {}));
}

function without(value: unknown, list: string): unknown {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? { ...value, [list]: null } : value;
}

const PLAIN_INTEGER = /^(0|-?[1-9]\d*)$/;

/** For texts. One is read as a number only if it is written as one: not `0x3`, `1e1` or ` 3`. */
export function textValidator(schema: object) {
  const validate = TEXTUAL.compile(schema);
  const { properties = {} }: { properties?: Record<string, { type?: string }> } = { ...schema };
  const integers = Object.keys(properties).filter((name) => properties[name]?.type === 'integer');
  return (data: Record<string, unknown>) => {
    const odd = integers.filter((name) => {
      const text = data[name];
      return typeof text === 'string' && !PLAIN_INTEGER.test(text);
    });
    const failures = odd.map((name) => failure(pointerStep(name), 'must be a decimal integer'));
    if (failures.length > 0) return outcome(failures);
    return outcome(validate(data) ? [] : (validate.errors ?? []));
  };
}

/** As Fastify expects it of a validator. */
function outcome(validation: readonly Failure[]) {
  return validation.length === 0 || { error: Object.assign(new Error(), { validation }) };
}

function failure(instancePath: string, message: string): Failure {
  return { instancePath, schemaPath: '', keyword: 'keyward', params: {}, message };
}
