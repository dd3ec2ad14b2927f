import type { Credential, KeyCredential } from './credential.ts';

/** The object, its secret's texts and what the cache needs to find and to order it. */
const CREDENTIAL_BYTES = 1024;
const STRING_BYTES = 24;
const SLOT_BYTES = 8;
const NUMBER_BYTES = 16;
const ARRAY_BYTES = 32;
/** Objects with names of their own share no shape, so each name costs more than its value's slot. */
const OBJECT_BYTES = 64;
const NAME_BYTES = 88;
/** An address, parsed. */
const RANGE_BYTES = 320;
const BEYOND_LATIN1 = /[^\0-\xff]/;

/**
 * The bytes that a cached credential takes at most, the text of its answers and its entries in
 * indexes included. A test compares it with what the heap grows by.
 */
export function bytesOf(credential: Credential): number {
  const secret = CREDENTIAL_BYTES + 2 * bytesOfText(credential.hash);
  if (credential.kind === 'key') return secret + bytesOfKey(credential);
  const { name, caller } = credential;
  return secret + bytesOfValue(name) + bytesOfValue([...caller.permissions]);
}

function bytesOfKey(key: KeyCredential): number {
  const { name, ownerId, scopes, resources, metadata, limits, availableScopes, allowedIps } = key;
  const shown = [name, ownerId, scopes, resources, metadata];
  const answer = bytesOfText(JSON.stringify(shown));
  const ranges = (allowedIps?.length ?? 0) * RANGE_BYTES;
  return answer + ranges + bytesOfValue(shown) + bytesOfValue([limits, availableScopes]);
}

/** What JSON can hold, and null or a boolean cost their slot alone. */
function bytesOfValue(value: unknown): number {
  if (typeof value === 'string') return bytesOfText(value);
  if (typeof value === 'number') return NUMBER_BYTES;
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return bytesOfArray(value);
  let bytes = OBJECT_BYTES;
  for (const [name, member] of Object.entries(value)) {
    bytes += NAME_BYTES + bytesOfText(name) + bytesOfValue(member);
  }
  return bytes;
}

function bytesOfArray(values: readonly unknown[]): number {
  let bytes = ARRAY_BYTES;
  for (const value of values) bytes += SLOT_BYTES + bytesOfValue(value);
  return bytes;
}

/** V8 stores a text in one byte for each character, or in two if one of them needs it. */
function bytesOfText(text: string): number {
  return STRING_BYTES + text.length * (BEYOND_LATIN1.test(text) ? 2 : 1);
}
