import type { Operation, Schema } from '../fuzz/document.ts';

/** Bodies in bytes; what is larger is refused before it is parsed. */
const BODY_LIMIT = 65_536;
const OTHER_BODY_LIMITS: Record<string, number> = {
  importKeys: 1_048_576,
  verifyKeys: 1_048_576,
  reportLeaks: 32_768,
  introspectKey: 32_768,
};

/** JSON that is sent to a call, by what is bad about it. */
export type Inputs = Record<string, string>;

/** The worst bodies that fit the limit of a call: within the bounds of its schema, and beyond. */
export function worstBodies({ id, body, bodyType }: Operation): Inputs {
  if (body === null) return {};
  const limit = OTHER_BODY_LIMITS[id] ?? BODY_LIMIT;
  if (bodyType !== 'application/json') return worstForms(limit);
  const lists = Object.entries(body.properties ?? {}).filter(([, field]) => isList(field));
  const [first] = limit > BODY_LIMIT ? lists : [];
  return {
    largest: first ? listWithin(first, limit, 0.9) : largestWithin(body, limit),
    'ten times too many': first ? listWithin(first, limit, 0.001) : largestWithin(body, limit, 10),
    'unknown names': filled('{', (i) => `"x${i.toString(36)}":0`, '}', limit),
    nested: `{"name":${'['.repeat(limit / 2 - 8)}${']'.repeat(limit / 2 - 8)}}`,
    'one long text': `{"name":"${'\\u0009'.repeat((limit - 12) / 6)}"}`,
    'metadata of names': filled('{"metadata":{', (i) => `"${i.toString(36)}":{}`, '}}', limit),
    ...Object.fromEntries(lists.flatMap(([name]) => wrongLists(name, limit))),
  };
}

function worstForms(limit: number): Inputs {
  const repeated = (text: string) => text.repeat(limit / text.length);
  return {
    'unknown parameters': repeated('a&'),
    'a parameter many times': repeated('token=&'),
    'a long token': `token=${'%41'.repeat(limit / 3 - 2)}`,
    'spaces and broken encodings': `token=${repeated('+%').slice(6)}`,
  };
}

function wrongLists(name: string, limit: number): [string, string][] {
  const list = (item: (i: number) => string) => filled(`{"${name}":[`, item, ']}', limit);
  return [
    [`${name} of zeros`, list(() => '0')],
    [`${name} of lists`, list(() => '[]')],
    [`${name} of unknown names`, list((i) => `{"${i.toString(36)}":0}`)],
    [`${name} of long names`, list((i) => `{"${`${i}`.padEnd(10_000, 'y')}":0}`)],
  ];
}

/** As many items as fit. */
export function filled(
  before: string,
  item: (index: number) => string,
  after: string,
  limit: number,
): string {
  const items: string[] = [];
  let length = before.length + after.length;
  for (let index = 0; ; index++) {
    const text = item(index);
    length += text.length + 1;
    if (length > limit) return before + items.join() + after;
    items.push(text);
  }
}

/** A list of as many items of a size as fit. */
function listWithin([name, { items = {} }]: [string, Schema], limit: number, scale: number) {
  const item = (index: number) => JSON.stringify(largest(items, { scale, times: 1, index }));
  return filled(`{"${name}":[`, item, ']}', limit);
}

/** The largest value of a schema whose JSON fits a limit: its lists and texts shrink until it does. */
export function largestWithin(schema: Schema, limit: number, times = 1): string {
  for (let scale = 1; scale > 0.001; scale *= 0.8) {
    const json = JSON.stringify(largest(schema, { scale, times, index: 0 }));
    if (Buffer.byteLength(json) <= limit) return json;
  }
  throw new Error('no value of the schema is small enough');
}

interface Size {
  scale: number;
  times: number;
  /** Of the item in its list, so that items differ. */
  index: number;
}

function largest(schema: Schema, size: Size): unknown {
  const { anyOf, type, properties = {}, maximum, minimum } = schema;
  if (anyOf?.[0]) return largest({ ...schema, ...anyOf[0], anyOf: [] }, size);
  if (schema.enum) return schema.enum[0];
  if (type === 'array') return largestList(schema, size);
  if (type === 'string') return longest(schema, size);
  if (type === 'integer') return maximum ?? minimum ?? 1;
  if (type !== 'object') return true;
  if (Object.keys(properties).length === 0) return largestMetadata(size);
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([name]) => !EITHER_OR.has(name))
      .map(([name, field]) => [name, largest(field, { ...size, index: size.index })]),
  );
}

/** Fields that refuse the call beside others that are kept. */
const EITHER_OR = new Set(['workspaceId', 'expiresInSeconds', 'dryRun', 'notBefore', 'refill']);

function isList({ type, anyOf = [] }: Schema): boolean {
  return type === 'array' || anyOf.some((one) => one.type === 'array');
}

function largestList({ items = {}, maxItems = 100 }: Schema, size: Size): unknown[] {
  if (items.enum) return items.enum;
  const length = Math.max(1, Math.floor(maxItems * size.scale * size.times));
  return Array.from({ length }, (_, index) => largest(items, { ...size, index, times: 1 }));
}

function largestMetadata({ scale }: Size): object {
  const names = Array.from({ length: 64 }, (_, i) => `name-${i}`);
  return Object.fromEntries(names.map((name) => [name, 'm'.repeat(Math.floor(110 * scale))]));
}

function longest({ format, maxLength = 22, ...schema }: Schema & { pattern?: string }, size: Size) {
  if (format === 'date-time') return '2999-12-31T23:59:59.999Z';
  if (schema.examples?.[0] === '203.0.113.0/24')
    return `2001:db8:1234:5678:9abc:def0:1234:${size.index.toString(16)}/128`;
  const number = String(size.index);
  const length = Math.max(number.length + 1, Math.floor(maxLength * size.scale));
  const candidates = [
    `${number}${'a:'.repeat(7)}${'s'.repeat(Math.max(0, length - number.length - 14))}`,
    `${number}${'x'.repeat(length - number.length)}`,
    `p${number}${'x'.repeat(Math.max(0, Math.min(length, 20) - number.length))}`,
    `key_${number.padStart(22, '0')}`,
    'a'.repeat(64),
    `http://127.0.0.1:9/${'p'.repeat(Math.max(0, length - 20))}`,
  ];
  const { pattern } = schema;
  return candidates.find((it) => pattern === undefined || new RegExp(pattern).test(it)) ?? 'x';
}
