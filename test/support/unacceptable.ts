import type { FieldSchema } from './described-calls.ts';

/** JSON that is nested as deep, in as few bytes as that takes. */
export function nestedJson(levels: number): string {
  return `{"a":${'['.repeat(levels - 1)}1${']'.repeat(levels - 1)}}`;
}

/** Texts in JSON that no text field stores. */
const TEXTS = ['""', '" "', '"a\\u0000b"', '"a\\ud800b"', '"a\\u202eb"', '"\\u200b"'];

/** JSON of values that no field with this schema takes. */
export function unacceptableValues(schema: FieldSchema): string[] {
  const types = typesOf(schema);
  const others = Object.entries(OF_TYPE).filter(([type]) => !types.includes(type));
  const wrong = others.map(([, text]) => text);
  return [...wrong, nestedJson(5000), ...alternativesOf(schema).flatMap(beyondBounds)];
}

const OF_TYPE: Record<string, string> = {
  null: 'null',
  boolean: 'true',
  integer: '1.5',
  string: '"text"',
  array: '[]',
  object: '{}',
};

function alternativesOf(schema: FieldSchema): FieldSchema[] {
  return schema.anyOf ?? [schema];
}

function typesOf(schema: FieldSchema): string[] {
  return alternativesOf(schema).map(({ type = '' }) => type);
}

function beyondBounds(schema: FieldSchema): string[] {
  switch (schema.type) {
    case 'integer':
      return integers(schema);
    case 'string':
      return texts(schema);
    case 'array':
      return lists(schema);
    default:
      return [];
  }
}

function integers({ minimum, maximum }: FieldSchema): string[] {
  const beyond = [
    ...(minimum === undefined ? [] : [minimum - 1]),
    ...(maximum === undefined ? [] : [maximum + 1]),
  ];
  return [...beyond.map(String), '0.5', '9007199254740993', '1e999'];
}

function texts({ enum: known, format, pattern, maxLength }: FieldSchema): string[] {
  // Without bounds it is a string that a stranger presented.
  if (!known && !format && !pattern) return [];
  const longer = maxLength === undefined ? [] : [JSON.stringify('x'.repeat(maxLength + 1))];
  return [...TEXTS, ...longer];
}

function lists({ items = {}, minItems = 0, maxItems }: FieldSchema): string[] {
  const few = minItems > 0 ? ['[]'] : [];
  const many = maxItems === undefined ? [] : [`[${Array(maxItems + 1).fill('1')}]`];
  return [...few, ...many, ...unacceptableValues(items).map((item) => `[${item}]`)];
}
