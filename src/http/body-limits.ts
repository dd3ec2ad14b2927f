import type { RouteOptions } from 'fastify';
import type { App } from './app-type.ts';

/**
 * A call whose schema a small body can fill reads no larger one. A call whose schema does not say so,
 * or which has a list of items, says its own limit.
 */
export const SMALL_BODY_BYTES = 16_384;
const BODY_BYTES = 65_536;

/** A character of JSON takes at most this many bytes, as two escapes. */
const BYTES_PER_CHARACTER = 12;
const BYTES_PER_SCALAR = 32;
/** What stands before the repeated end of a pattern, such as the `key_` of an id. */
const PATTERN_PREFIX = 8;

interface Bounded {
  type?: unknown;
  enum?: readonly unknown[];
  pattern?: string;
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
    route.bodyLimit ??= bytes <= SMALL_BODY_BYTES ? SMALL_BODY_BYTES : BODY_BYTES;
  });
}

/** The most bytes that a valid value takes; Infinity if its schema does not bound it. */
function largestJson(schema: object): number {
  const bounded: Bounded = { ...schema };
  if (bounded.enum) return Math.max(...bounded.enum.map((value) => JSON.stringify(value).length));
  if (bounded.anyOf) return Math.max(...bounded.anyOf.map(largestJson));
  switch (bounded.type) {
    case 'string':
      return longestText(bounded) * BYTES_PER_CHARACTER + 2;
    case 'array':
      return (bounded.maxItems ?? Infinity) * (largestJson(bounded.items ?? {}) + 1) + 2;
    case 'object':
      return bounded.additionalProperties === false ? largestObject(bounded) : Infinity;
    case 'integer':
    case 'number':
    case 'boolean':
    case 'null':
      return BYTES_PER_SCALAR;
    default:
      return Infinity;
  }
}

function longestText({ maxLength, pattern = '' }: Bounded): number {
  const [, repeated] = /\]\{(?:\d+,)?(\d+)\}\$$/.exec(pattern) ?? [];
  return maxLength ?? (repeated === undefined ? Infinity : Number(repeated) + PATTERN_PREFIX);
}

function largestObject({ properties = {} }: Bounded): number {
  const fields = Object.entries(properties);
  return fields.reduce((sum, [name, field]) => sum + name.length + 4 + largestJson(field), 2);
}
