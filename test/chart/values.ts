import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const CHART = fileURLToPath(new URL('../../deploy/helm/keyward/', import.meta.url));

interface SchemaNode {
  description?: string;
  properties?: Record<string, SchemaNode>;
}

/** A value of the chart that an operator may set, as its schema describes it. */
interface Value {
  path: string;
  description: string;
  default: unknown;
}

export const readChartFile = (name: string) => readFileSync(`${CHART}${name}`, 'utf8');

/** Every value of values.schema.json, with its default in values.yaml. */
export function readValues(): Value[] {
  const schema: SchemaNode = JSON.parse(readChartFile('values.schema.json'));
  return leavesOf(schema, parse(readChartFile('values.yaml')), []);
}

function leavesOf(
  node: SchemaNode,
  value: Record<string, unknown>,
  above: readonly string[],
): Value[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const path = [...above, name];
    const own = value[name];
    if (child.properties) return leavesOf(child, isGroup(own) ? own : {}, path);
    // `global` is what Helm itself hands to every chart.
    if (child.description === undefined) return [];
    return [{ path: path.join('.'), description: child.description, default: own }];
  });
}

export const isGroup = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
