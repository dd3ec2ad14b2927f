import type { ApiError } from '../../api.ts';

/** What is wrong with a field, or with something in it. */
export function faultUnder(error: ApiError | null, pointer: string): string | undefined {
  const { errors = [] } = error?.problem ?? {};
  return errors.find((fault) => `${fault.pointer}/`.startsWith(`${pointer}/`))?.detail;
}
