import type { FieldError } from '../../errors.ts';
import type { KeyDetector } from '../../http/key-detector.ts';
import { guardOf, validatorOf } from '../../http/validation/parsers.ts';
import type { FileRecord } from './records.ts';
import type { RefusedLine } from './report.ts';
import { IMPORT_LIMIT_BYTES, ImportItem } from './schemas.ts';

/** The items of one import call, and the refused lines between them. */
export interface Chunk {
  items: { line: number; item: ImportItem }[];
  refused: RefusedLine[];
  /** The last line of the chunk. */
  through: number;
}

const MAX_ITEMS = 1000;

/** The item of a record, or what is wrong with it. */
export type CheckItem = (record: FileRecord) => Checked;
type Checked = { item: ImportItem; length: number } | { errors: readonly FieldError[] };

/** Validates as the API does. */
export function itemChecker(keyDetector: KeyDetector): CheckItem {
  const errorsOf = validatorOf(ImportItem);
  const isItem = guardOf(ImportItem);
  return ({ value, errors }) => {
    if (errors.length > 0) return { errors };
    if (!isItem(value)) return { errors: errorsOf(value) };
    const text = JSON.stringify(value);
    if (text.includes('\uFFFD')) return refusal('is not UTF-8');
    if (keyDetector.isContainedIn(value)) return refusal('contains an API key of this Keyward');
    return { item: value, length: Buffer.byteLength(text) };
  };
}

function refusal(detail: string): Checked {
  return { errors: [{ pointer: '', detail }] };
}

/** The records after a line, cut into chunks: at the same places wherever it begins. */
export async function* chunksOf(
  records: AsyncIterable<FileRecord>,
  afterLine: number,
  check: CheckItem,
): AsyncGenerator<Chunk> {
  let chunk = empty();
  let length = 0;
  for await (const record of records) {
    if (record.line <= afterLine) continue;
    const checked = check(record);
    chunk.through = record.line;
    if ('item' in checked) {
      chunk.items.push({ line: record.line, item: checked.item });
      length += checked.length;
    } else chunk.refused.push({ line: record.line, status: 'invalid', errors: checked.errors });
    if (!isFull(chunk, length)) continue;
    yield chunk;
    chunk = empty();
    length = 0;
  }
  if (chunk.through > 0) yield chunk;
}

function empty(): Chunk {
  return { items: [], refused: [], through: 0 };
}

function isFull({ items, refused }: Chunk, length: number): boolean {
  return items.length === MAX_ITEMS || refused.length === MAX_ITEMS || length > IMPORT_LIMIT_BYTES;
}
