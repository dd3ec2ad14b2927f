import type { ApiError } from './api.ts';

/** What is wrong with a field, or with something in it. */
export function faultUnder(error: ApiError | null, pointer: string): string | undefined {
  const { errors = [] } = error?.problem ?? {};
  return errors.find((fault) => `${fault.pointer}/`.startsWith(`${pointer}/`))?.detail;
}

/** How many fields have a fault, however many faults they have. */
export function faultyFields(error: ApiError | null): number {
  const { errors = [] } = error?.problem ?? {};
  return new Set(errors.map(({ pointer }) => pointer.split('/')[2])).size;
}
