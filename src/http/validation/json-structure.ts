import { type FieldError, pointerStep } from '../../errors.ts';

const MAX_DEPTH = 32;
/** More than all fields of a call have at their bounds: 8 KiB of metadata hold half of them. */
const MAX_VALUES = 8192;

interface Pending {
  value: object;
  pointer: string;
  depth: number;
}

/**
 * What makes a parsed value unfit for any schema: the number of its values, each of which a schema
 * would look at; its depth, on which recursive checks would overflow the stack; or a name that
 * JavaScript gives a meaning of its own. Does not recurse.
 */
export function findStructureFault(root: unknown): FieldError | null {
  const pending: Pending[] = isObject(root) ? [{ value: root, pointer: '', depth: 0 }] : [];
  let values = 0;
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { value, pointer, depth } = next;
    if (depth === MAX_DEPTH) return { pointer, detail: `is nested more than ${MAX_DEPTH} deep` };
    values += Array.isArray(value) ? value.length : Object.keys(value).length;
    if (values > MAX_VALUES) return { pointer, detail: `has more than ${MAX_VALUES} values` };
    for (const [name, child] of Object.entries(value)) {
      if (name === '__proto__') {
        return { pointer: `${pointer}/__proto__`, detail: 'is not a name that a field may have' };
      }
      if (!isObject(child)) continue;
      pending.push({ value: child, pointer: pointer + pointerStep(name), depth: depth + 1 });
    }
  }
  return null;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
