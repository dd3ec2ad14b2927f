import { isDeepStrictEqual } from 'node:util';

type Node = Record<string, unknown>;

/** Formats that only our validation knows; the descriptions say what they require. */
const PRIVATE_FORMATS: ReadonlySet<unknown> = new Set(['text', 'line', 'ip-address', 'ip-range']);

/**
 * Moves every schema with an `x-name` to the components, so that generated code has one type of
 * that name, and leaves out formats that no other program knows.
 */
export function nameSchemas(part: unknown, schemas: Node): unknown {
  if (Array.isArray(part)) return part.map((item) => nameSchemas(item, schemas));
  if (typeof part !== 'object' || part === null) return part;
  const entries = Object.entries(part).filter(
    ([name, value]) => !(name === 'format' && PRIVATE_FORMATS.has(value)),
  );
  const { 'x-name': name, ...node }: Node = Object.fromEntries(
    // Examples may contain anything.
    entries.map(([key, value]) => [key, key === 'examples' ? value : nameSchemas(value, schemas)]),
  );
  return typeof name === 'string' ? nameSchema(name, node, schemas) : node;
}

/** What differs between the places that use a schema stays there. */
function nameSchema(
  name: string,
  { default: initial, examples, ...schema }: Node,
  schemas: Node,
): Node {
  const known = schemas[name];
  if (known !== undefined && !isDeepStrictEqual(known, schema)) {
    throw new Error(`two different schemas are named ${name}`);
  }
  schemas[name] = schema;
  return {
    $ref: `#/components/schemas/${name}`,
    ...(initial !== undefined && { default: initial }),
    ...(examples !== undefined && { examples }),
  };
}
