import { type FieldError, pointerStep } from '../../errors.ts';

const MAX_DEPTH = 32;

/**
 * What makes a parsed value unfit for any schema: its depth, on which recursive checks would
 * overflow the stack, or a name that JavaScript gives a meaning of its own. Does not recurse.
 */
export function findStructureFault(root: unknown): FieldError | null {
  const pending: { value: unknown; pointer: string; depth: number }[] = [
    { value: root, pointer: '', depth: 0 },
  ];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { value, pointer, depth } = next;
    if (typeof value !== 'object' || value === null) continue;
    if (depth === MAX_DEPTH) return { pointer, detail: `is nested more than ${MAX_DEPTH} deep` };
    for (const [name, child] of Object.entries(value)) {
      if (name === '__proto__') {
        return { pointer: `${pointer}/__proto__`, detail: 'is not a name that a field may have' };
      }
      if (typeof child !== 'object' || child === null) continue;
      pending.push({ value: child, pointer: pointer + pointerStep(name), depth: depth + 1 });
    }
  }
  return null;
}
