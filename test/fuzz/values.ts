import type { Random } from '../history/harness/random.ts';
import type { Schema } from './document.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const LONG = 'x'.repeat(300);

export const TEXTS: readonly string[] = [
  '',
  ' ',
  'a',
  'ordinary text',
  'Ünïcödé 🔑 ключ 鍵',
  'e\u0301 \u202e reversed \ufeff',
  'NUL \0 inside',
  'half \ud83d',
  '\udd11 half',
  'line\nend',
  '\u001b[31mred',
  "'; drop table keys; --",
  '%00%ff',
  '{{7*7}}',
  '../../etc/passwd',
  '\\u0000',
  '{"a":1}',
  'null',
  'undefined',
  '__proto__',
  'constructor',
  'toString',
  '9'.repeat(40),
  LONG,
  'İıſK',
  '٣',
];

const TIMES: readonly string[] = [
  '2030-01-31T12:00:00Z',
  '2099-12-31T23:59:59.999+14:00',
  '9999-12-31T23:59:59Z',
  '10000-01-01T00:00:00Z',
  '0000-01-01T00:00:00Z',
  '1969-12-31T23:59:59Z',
  '1970-01-01T00:00:00Z',
  '2030-02-30T00:00:00Z',
  '2030-01-01T24:00:00Z',
  '2030-01-01T00:00:60Z',
  '2030-01-01',
  '-271821-04-20T00:00:00Z',
  '+275760-09-13T00:00:00Z',
  'infinity',
  'now',
  '1900000000',
];

const NUMBERS: readonly number[] = [
  0,
  -0,
  -1,
  1,
  0.5,
  1e-7,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 63,
  1e21,
  1e308,
  -(2 ** 31) - 1,
];

const ADDRESSES = ['203.0.113.7', '203.0.113.0/24', '::ffff:203.0.113.7', '2001:db8::/32', '0/0'];
const SCOPES = ['read', 'write', 'sources:read', 'members:*', '*', 'a:*:b', 'a:b:c:d:e:f:g:h:i'];
const NAMES: readonly string[] = ['__proto__', 'constructor', 'prototype', 'toString', 'key', 'id'];

/** A value that is often valid for the schema. */
export function valueFor(schema: Schema, random: Random): Json {
  if (schema.anyOf) return valueFor(random.pick(schema.anyOf), random);
  if (schema.enum) return JSON.parse(JSON.stringify(random.pick(schema.enum)));
  switch (schema.type) {
    case 'object':
      return objectOf(schema, random);
    case 'array':
      return listOf(schema, random);
    case 'string':
      return textOf(schema, random);
    case 'integer':
    case 'number':
      return numberOf(schema, random);
    case 'boolean':
      return random.chance(0.7);
    default:
      return null;
  }
}

function objectOf({ required = [], properties }: Schema, random: Random): Json {
  if (!properties) return random.pick<Json>([{}, { plan: 'pro' }, { a: { b: [1, 'x', null] } }]);
  const chosen = Object.entries(properties).filter(
    ([name]) => required.includes(name) || random.chance(0.25),
  );
  return Object.fromEntries(chosen.map(([name, schema]) => [name, valueFor(schema, random)]));
}

function listOf({ items = {}, minItems = 0, maxItems = 100 }: Schema, random: Random): Json {
  const length = random.weighted<number>([
    [20, random.between(minItems, Math.min(maxItems, 3))],
    [1, random.between(minItems, Math.min(maxItems + 1, 120))],
  ]);
  return Array.from({ length }, () => valueFor(items, random));
}

function textOf({ examples = [], format, maxLength }: Schema, random: Random): string {
  const example = examples.find((each) => typeof each === 'string');
  if (example !== undefined && random.chance(0.9)) return example;
  if (format === 'date-time') return random.pick(TIMES);
  if (maxLength !== undefined && random.chance(0.2)) {
    return random.pick(['x', 'é', '🔑']).repeat(maxLength + random.between(-1, 1));
  }
  return random.pick(random.pick([SCOPES, ADDRESSES, TEXTS, TEXTS]));
}

function numberOf({ minimum = 0, maximum = 1000 }: Schema, random: Random): number {
  const bound = random.pick([minimum, maximum]) + random.between(-1, 1);
  const usual = random.between(minimum, Math.min(maximum, minimum + 5000));
  return random.weighted<number>([
    [8, usual],
    [2, bound],
    [1, random.pick(NUMBERS)],
  ]);
}

/** The same value with something invalid somewhere in it. */
export function corrupt(value: Json, random: Random): Json {
  const isLeaf = typeof value !== 'object' || value === null;
  if (isLeaf || random.chance(0.15)) return unexpectedValue(value, random);
  if (Array.isArray(value)) return corruptList(value, random);
  return corruptObject(value, random);
}

function corruptList(list: Json[], random: Random): Json {
  if (list.length === 0 || random.chance(0.3)) return [...list, unexpectedValue(null, random)];
  const place = random.between(0, list.length - 1);
  if (random.chance(0.3)) return [...list, ...list.slice(place)];
  return list.map((item, index) => (index === place ? corrupt(item, random) : item));
}

function corruptObject(object: { [name: string]: Json }, random: Random): Json {
  const names = Object.keys(object);
  if (names.length === 0 || random.chance(0.3)) {
    const name = random.chance(0.5) ? random.pick(NAMES) : random.pick(TEXTS);
    // As from JSON.parse, where `__proto__` is a name like any other.
    return Object.fromEntries([...Object.entries(object), [name, unexpectedValue(null, random)]]);
  }
  const chosen = random.pick(names);
  if (random.chance(0.25)) {
    return Object.fromEntries(Object.entries(object).filter(([name]) => name !== chosen));
  }
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [
      name,
      name === chosen ? corrupt(value, random) : value,
    ]),
  );
}

function unexpectedValue(value: Json, random: Random): Json {
  return random.weighted<() => Json>([
    [6, () => random.pick(TEXTS)],
    [4, () => random.pick(NUMBERS)],
    [2, () => random.pick(TIMES)],
    [2, () => random.pick([null, true, false])],
    [2, () => [value]],
    [2, () => ({ [random.pick(NAMES)]: value })],
    [1, () => nested(random.pick([10, 300, 2000]))],
    [1, () => 'y'.repeat(random.pick([1000, 9000, 70_000]))],
    [1, () => Array.from({ length: random.pick([101, 1001]) }, (_, index) => index)],
  ])();
}

function nested(levels: number): Json {
  let value: Json = {};
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

/** The JSON text, sometimes broken as by a careless or hostile sender. */
export function textOfBody(value: Json, random: Random): Buffer {
  const text = JSON.stringify(value);
  return random.weighted<() => Buffer>([
    [60, () => Buffer.from(text)],
    [1, () => Buffer.from(text.slice(0, random.between(0, text.length)))],
    [1, () => Buffer.from(`\ufeff${text}`)],
    [1, () => Buffer.from(text.replace(/\d+/, '1e999'))],
    [1, () => Buffer.from(text.replace('{', '{"__proto__":{"admin":true},'))],
    [1, () => Buffer.from(text.replace('{', '{"name":"twice","name":"twice",'))],
    [1, () => Buffer.from(text.replace(/"[^"]*"/, 'NaN'))],
    [1, () => Buffer.from(`${text},`)],
    [1, () => Buffer.concat([Buffer.from(text.slice(0, 12)), Buffer.from([0xff, 0xfe, 0x00])])],
    [1, () => Buffer.from(text, 'utf16le')],
    [1, () => Buffer.from(`${text}${' '.repeat(66_000)}`)],
    [1, () => Buffer.from('['.repeat(60_000))],
  ])();
}
