import { isDeepStrictEqual } from 'node:util';
import type { Json, JsonObject } from '../domain/json.ts';

/** Whether a change would alter anything. */
export function differs(row: object, changes: object): boolean {
  return Object.entries(changes).some(
    ([name, value]) => value !== undefined && !isDeepStrictEqual(value, Reflect.get(row, name)),
  );
}

/** What an audit entry says: the fields that differ, as they were and as they are. */
export function pickChanged(before: JsonObject | null, after: JsonObject) {
  const changed = Object.keys(after).filter(
    (name) => name !== 'updatedAt' && !isDeepStrictEqual(before?.[name] ?? null, after[name]),
  );
  const pick = (fields: JsonObject): JsonObject =>
    Object.fromEntries(changed.map((name): [string, Json] => [name, fields[name] ?? null]));
  return { before: before && pick(before), after: pick(after) };
}
