import type { FieldError } from '../../errors.ts';
import type { ImportReport, ImportResult } from './schemas.ts';

export function created(index: number, keyId: string): ImportResult {
  return { index, status: 'created', keyId, errors: [] };
}

export function duplicate(index: number): ImportResult {
  return { index, status: 'duplicate', keyId: null, errors: [] };
}

/** The pointers of the errors begin within the item. */
export function invalid(index: number, errors: readonly FieldError[]): ImportResult {
  const within = errors.map(({ pointer, detail }) => {
    return { pointer: pointer.replace(/^\/body/, ''), detail };
  });
  return { index, status: 'invalid', keyId: null, errors: within };
}

export function reportOf(results: readonly ImportResult[]): ImportReport {
  const count = (status: string) => results.filter((result) => result.status === status).length;
  return {
    created: count('created'),
    duplicates: count('duplicate'),
    invalid: count('invalid'),
    results: results.toSorted((a, b) => a.index - b.index),
  };
}
