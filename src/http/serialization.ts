import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';

type Serializer = (answer: unknown) => string;

/** By the schemas that can be referenced, then by the schema itself, both as text. */
const compiled = new Map<string, Serializer>();

/**
 * Compiles each schema of an answer once in the process instead of once for each status of each route,
 * which would take most of the time of a start.
 */
export const buildSerializers: ReturnType<typeof SerializerSelector> = (references, options) => {
  const compile = SerializerSelector()(references, options);
  const context = JSON.stringify(references);
  return (route) => {
    const name = `${context} ${JSON.stringify(route.schema)}`;
    const serializer = compiled.get(name) ?? compile(route);
    compiled.set(name, serializer);
    return serializer;
  };
};
