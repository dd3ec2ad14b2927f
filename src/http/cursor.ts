import { type KeywardError, refusedFields } from '../errors.ts';

/** Where a page ended. Its cursor is opaque to callers, and checked like any other input. */
export interface CursorPosition {
  /** The sort value of the last row; null if it has none. */
  value: string | null;
  id: string;
}

export function encodeCursor(list: string, position: CursorPosition): string {
  return Buffer.from(JSON.stringify([list, position.value, position.id])).toString('base64url');
}

export function decodeCursor(list: string, cursor: string): CursorPosition {
  const parts = parse(cursor);
  if (!Array.isArray(parts) || parts.length !== 3 || parts[0] !== list) throw badCursor();
  const [, value, id]: unknown[] = parts;
  if (typeof id !== 'string' || !(value === null || typeof value === 'string')) throw badCursor();
  if (!isStorable(id) || !isStorable(value ?? '')) throw badCursor();
  return { value, id };
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw badCursor();
  }
}

function isStorable(value: string): boolean {
  return value.isWellFormed() && !value.includes('\0');
}

/** A cursor that was not returned by this list. */
export function badCursor(): KeywardError {
  const detail = 'Pass `nextCursor` as it was returned, with the same filters and sort order.';
  return refusedFields('INVALID_CURSOR', [{ pointer: '/query/cursor', detail }]);
}
