import type { JsonObject } from '../domain/json.ts';
import { isTooLarge, MAX_STORED_BYTES } from '../domain/stored-size.ts';
import { invalidField } from '../errors.ts';
import { type PlainValues, pickPlain } from './schemas/fields.ts';

/** Refuses a key whose fields are too large together, although each of them is within its bound. */
export function checkSize(key: PlainValues & { metadata: JsonObject }): void {
  if (!isTooLarge({ ...pickPlain(key), metadata: key.metadata })) return;
  throw invalidField('/body', `makes the key larger than ${MAX_STORED_BYTES} bytes as JSON`);
}
