import type { RouteOptions } from 'fastify';
import type { App } from './app-type.ts';

/** A call reads no more than its schema can fill, between these. A call with lists says its own. */
export const SMALL_BODY_BYTES = 16_384;
export const LARGEST_BODY_BYTES = 65_536;

/** A character of JSON takes at most this many bytes, as two escapes. */
const BYTES_PER_CHARACTER = 12;
const BYTES_PER_NUMBER = 32;

interface Bounded {
  type?: unknown;
  enum?: readonly unknown[];
  maxLength?: number;
  maxItems?: number;
  items?: object;
  properties?: Record<string, object>;
  additionalProperties?: unknown;
  anyOf?: readonly object[];
}

export function registerBodyLimits(app: App): void {
  app.addHook('onRoute', (route: RouteOptions) => {
    const body: unknown = route.schema?.body;
    const bytes = typeof body === 'object' && body !== null ? largestJson(body) : 0;
    route.bodyLimit ??= Math.min(LARGEST_BODY_BYTES, Math.max(SMALL_BODY_BYTES, bytes));
  });
}

/** The most bytes that a valid value takes; Infinity if its schema does not bound it. */
export function largestJson(schema: object): number {
  const {
    type,
    enum: values,
    maxLength,
    maxItems,
    items,
    properties,
    anyOf,
    ...rest
  }: Bounded = {
    ...schema,
  };
  if (values) return Math.max(...values.map((value) => JSON.stringify(value).length));
  if (anyOf) return Math.max(...anyOf.map(largestJson));
  if (type === 'string') return (maxLength ?? Number.POSITIVE_INFINITY) * BYTES_PER_CHARACTER + 2;
  if (type === 'array' && items)
    return (maxItems ?? Number.POSITIVE_INFINITY) * (largestJson(items) + 1) + 2;
  if (type === 'object' && rest.additionalProperties === false) return largestObject(properties);
  const isScalar = type === 'integer' || type === 'number' || type === 'boolean' || type === 'null';
  return isScalar ? BYTES_PER_NUMBER : Number.POSITIVE_INFINITY;
}

function largestObject(properties: Record<string, object> = {}): number {
  const fields = Object.entries(properties);
  return fields.reduce((sum, [name, field]) => sum + name.length + 4 + largestJson(field), 2);
}
