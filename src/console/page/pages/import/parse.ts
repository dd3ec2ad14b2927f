import type { Schemas } from '../../api-types.ts';
import { csvRecords, headerFault, itemOfCells } from './csv.ts';

type ImportItem = Schemas['ImportItem'];

/** A line of the file, or an entry of its array: what to import, or what is wrong with it. */
export interface ImportRow {
  /** From 1 on. */
  line: number;
  item: ImportItem | null;
  /** For the table, as far as it can be read. */
  name: string;
  fault: string | null;
}

interface Parsed {
  rows: ImportRow[];
  /** What is counted: an array may have one entry on several lines, or all on one. */
  unit: 'Line' | 'Entry';
  /** What is wrong with the file as a whole; null: nothing. */
  fault: string | null;
}

/** More are for the command, which reads files of any size. */
const MAX_ROWS = 10_000;
const MAX_ITEMS = 500;
const MAX_LENGTH = 500_000;

/** JSON, which begins with a brace or a bracket, or CSV whose first line names its columns. */
export function parseImport(source: string): Parsed {
  const text = source.replace(/^\uFEFF/, '').trimEnd();
  const parsed = /^\s*[{[]/.test(text) ? parseJson(text) : parseCsv(text);
  if (parsed.rows.length <= MAX_ROWS) return parsed;
  const fault = `A page imports ${MAX_ROWS} keys at most: use the command keyward import.`;
  return { ...parsed, rows: [], fault };
}

/** An object a line, an array of them, or the body of the call. */
function parseJson(text: string): Parsed {
  const entries = entriesOf(text);
  if (entries) {
    const rows = entries.map((entry, index) => rowOf(index + 1, () => entry));
    return { rows, unit: 'Entry', fault: null };
  }
  if (/^\s*\[/.test(text)) return { rows: [], unit: 'Entry', fault: 'This is no JSON array.' };
  const lines = text.split(/\r\n|\r|\n/).map((json, index) => ({ json, line: index + 1 }));
  const rows = lines
    .filter(({ json }) => json.trim() !== '')
    .map(({ json, line }) => rowOf(line, () => JSON.parse(json), 'is no JSON'));
  return { rows, unit: 'Line', fault: null };
}

/** Null: it is no array, and no body of the call. */
function entriesOf(text: string): unknown[] | null {
  try {
    const whole: unknown = JSON.parse(text);
    if (Array.isArray(whole)) return whole;
    const hasKeys = typeof whole === 'object' && whole !== null && 'keys' in whole;
    return hasKeys && Array.isArray(whole.keys) ? whole.keys : null;
  } catch {
    return null;
  }
}

const NONE: Parsed = { rows: [], unit: 'Line', fault: null };

function parseCsv(text: string): Parsed {
  const { records, brokenAt } = csvRecords(text);
  const [header, ...others] = records;
  // After a stray quote the records cannot be told apart, so nothing is guessed.
  if (brokenAt !== null) {
    return { ...NONE, fault: `Line ${brokenAt} has a quote out of place.` };
  }
  const names = (header?.cells ?? []).map((name) => name.trim());
  const fault = headerFault(names);
  if (fault !== null) return { ...NONE, fault };
  const rows = others.map(({ line, cells }) => {
    if (cells.length === names.length) return rowOf(line, () => itemOfCells(names, cells));
    const wrong = `has ${cells.length} columns, the first line ${names.length}`;
    return { line, item: null, name: '', fault: wrong };
  });
  return { ...NONE, rows };
}

function rowOf(line: number, read: () => unknown, unreadable?: string): ImportRow {
  let value: unknown;
  try {
    value = read();
  } catch (error) {
    const fault = unreadable ?? (error instanceof Error ? error.message : '');
    return { line, item: null, name: '', fault };
  }
  const fault = faultOf(value);
  const name = nameOf(value);
  return fault === null && isItem(value)
    ? { line, item: value, name, fault }
    : { line, item: null, name, fault: fault ?? 'is no key' };
}

/** What is needed; everything else is for the API to judge. */
function faultOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is no object';
  if (nameOf(value) === '') return 'has no name';
  const hash = 'hash' in value ? value.hash : null;
  if (typeof hash !== 'object' || hash === null) return 'has no hash';
  const { algorithm, value: digest } = { algorithm: '', value: '', ...hash };
  if (algorithm !== 'sha256' && algorithm !== 'sha512') {
    return 'its hash algorithm is neither sha256 nor sha512';
  }
  return isDigest(algorithm, digest) ? null : `its hash value is no ${algorithm} digest`;
}

const BYTES = { sha256: 32, sha512: 64 };

/** In hex, base64 or base64url. */
function isDigest(algorithm: keyof typeof BYTES, text: unknown): boolean {
  if (typeof text !== 'string') return false;
  const bytes = BYTES[algorithm];
  if (/^[0-9a-fA-F]+$/.test(text) && text.length === bytes * 2) return true;
  const length = Math.ceil((bytes * 8) / 6);
  return /^[\w+/-]+={0,2}$/.test(text) && text.replace(/=+$/, '').length === length;
}

function nameOf(value: unknown): string {
  const hasName = typeof value === 'object' && value !== null && 'name' in value;
  return hasName && typeof value.name === 'string' ? value.name : '';
}

function isItem(value: unknown): value is ImportItem {
  return faultOf(value) === null;
}

/** A row that can be sent. */
export interface SendableRow extends ImportRow {
  item: ImportItem;
}

export function isSendable(row: ImportRow): row is SendableRow {
  return row.item !== null;
}

/** As many as fit into one call. */
export function batchesOf(rows: readonly SendableRow[]): SendableRow[][] {
  const batches: SendableRow[][] = [];
  let room = 0;
  for (const row of rows) {
    const length = JSON.stringify(row.item).length;
    const last = batches.at(-1);
    if (last && last.length < MAX_ITEMS && length <= room) last.push(row);
    else {
      batches.push([row]);
      room = MAX_LENGTH;
    }
    room -= length;
  }
  return batches;
}
