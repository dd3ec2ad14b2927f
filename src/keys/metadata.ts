import type { Json, JsonObject } from '../domain/json.ts';
import { invalidField, pointerStep } from '../errors.ts';

export const MAX_METADATA_NAMES = 64;
const MAX_BYTES = 8192;
const MAX_DEPTH = 8;

/** Refuses metadata that is too large or too deep, or that Postgres could not give back unchanged. */
export function checkMetadata(metadata: JsonObject): void {
  if (Object.keys(metadata).length > MAX_METADATA_NAMES) {
    throw invalidField('/body/metadata', `must have at most ${MAX_METADATA_NAMES} names`);
  }
  checkValue(metadata, '/body/metadata', MAX_DEPTH);
  if (Buffer.byteLength(JSON.stringify(metadata)) > MAX_BYTES) {
    throw invalidField('/body/metadata', `must be at most ${MAX_BYTES} bytes as JSON`);
  }
}

/** RFC 7396 at the top level: null removes a name, everything else replaces its value. */
export function mergeMetadata(current: JsonObject, patch: JsonObject | null): JsonObject {
  if (patch === null) return {};
  const kept = Object.entries({ ...current, ...patch }).filter(([, value]) => value !== null);
  return Object.fromEntries(kept);
}

function checkValue(value: Json, pointer: string, depthLeft: number): void {
  if (typeof value === 'string') checkText(value, pointer);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw invalidField(pointer, 'is a number beyond what JSON programs can hold');
  }
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw invalidField(pointer, 'is an integer beyond 2^53, which would change; send it as text');
  }
  if (value === null || typeof value !== 'object') return;
  if (depthLeft === 0) throw invalidField(pointer, `is nested more than ${MAX_DEPTH} levels deep`);
  for (const [name, child] of Object.entries(value)) {
    checkText(name, pointer);
    checkValue(child, pointer + pointerStep(name), depthLeft - 1);
  }
}

function checkText(text: string, pointer: string): void {
  if (text.isWellFormed() && !text.includes('\0')) return;
  throw invalidField(pointer, 'must not contain NUL or unpaired surrogates');
}
