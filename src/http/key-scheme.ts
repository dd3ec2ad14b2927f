import { refusedFields } from '../errors.ts';

const SCHEME = /^(bearer|apikey|basic|token)\s/i;

export function hasScheme(key: string): boolean {
  return SCHEME.test(key);
}

/** The commonest mistake: the whole `Authorization` header passed on as a key. */
export function refuseScheme(key: string, pointer: string): void {
  if (!hasScheme(key)) return;
  const detail = 'Pass the key alone: remove the authorization scheme and the space after it.';
  throw refusedFields('KEY_WITH_SCHEME', [{ pointer, detail }]);
}
