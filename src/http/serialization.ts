import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';

type Serializer = (answer: unknown) => string;

/** By the schemas that can be referenced, then by the schema itself, both as text. */
const compiled = new Map<string, Serializer>();
/** Every route asks with the same schemas to reference, so each is written once. */
const texts = new WeakMap<object, string>();

/**
 * Compiles each schema of an answer once in the process instead of once for each status of each route,
 * which would take most of the time of a start.
 */
export const buildSerializers: ReturnType<typeof SerializerSelector> = (references, options) => {
  const compile = SerializerSelector()(references, options);
  const context = Object.values(Object(references)).map(textOf).join();
  return (route) => {
    const name = `${context} ${textOf(route.schema)}`;
    const serializer = compiled.get(name) ?? compile(route);
    compiled.set(name, serializer);
    return serializer;
  };
};

function textOf(schema: unknown): string {
  if (typeof schema !== 'object' || schema === null) return JSON.stringify(schema);
  const text = texts.get(schema) ?? JSON.stringify(schema);
  texts.set(schema, text);
  return text;
}
