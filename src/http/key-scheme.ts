import { refusedFields } from '../errors.ts';

const SCHEME = /^(bearer|apikey|basic|token)\s/i;

/** The commonest mistake: the whole `Authorization` header passed on as a key. */
export function refuseScheme(key: string, pointer: string): void {
  if (!SCHEME.test(key)) return;
  const detail = 'Pass the key alone: remove the authorization scheme and the space after it.';
  throw refusedFields('KEY_WITH_SCHEME', [{ pointer, detail }]);
}
