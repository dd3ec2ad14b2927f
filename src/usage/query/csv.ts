import { turnKeeper } from '../../lib/turns.ts';
import type { UsageGroup } from './schemas.ts';

const COLUMNS = [
  'start',
  'workspaceId',
  'ownerId',
  'keyId',
  'name',
  'secretId',
  'secretStart',
  'code',
  'kind',
  'verifications',
  'units',
] as const;

/** As in a table: a line for each group, or for each of its buckets. */
type Line = Omit<UsageGroup, 'buckets'> & { start: string | null };

/** Characters that are handed on at once. */
const CHUNK_LENGTH = 16_384;

/** RFC 4180, in chunks, a page at a time: a client that reads slowly holds no more than one. */
export async function* csvOf(pages: AsyncIterable<readonly UsageGroup[]>): AsyncGenerator<string> {
  const turn = turnKeeper();
  let chunk = rowOf(COLUMNS);
  for await (const page of pages) {
    for (const group of page) {
      for (const line of linesOf(group)) chunk += rowOf(COLUMNS.map((name) => line[name]));
      if (chunk.length < CHUNK_LENGTH) continue;
      yield chunk;
      chunk = '';
      const used = turn();
      if (used) await used;
    }
  }
  if (chunk) yield chunk;
}

function linesOf({ buckets, ...group }: UsageGroup): Line[] {
  if (buckets.length === 0) return [{ ...group, start: null }];
  return buckets.map((bucket) => ({ ...group, ...bucket }));
}

function rowOf(cells: readonly (string | number | null)[]): string {
  return `${cells.map(cellOf).join(',')}\r\n`;
}

/** Also after spaces, and as wide as ideographs. */
const FORMULA = /^[\s\u00a0]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/;

/** What a spreadsheet would take for a formula begins with an apostrophe, and is quoted at any separator. */
function cellOf(value: string | number | null): string {
  const text = typeof value === 'string' && FORMULA.test(value) ? `'${value}` : `${value ?? ''}`;
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
