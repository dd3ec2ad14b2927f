import type { FieldError } from '../../errors.ts';
import { UsageError } from '../../lib/command-line.ts';
import { parseStrictJson } from '../../lib/strict-json.ts';
import { plainFields } from '../schemas/fields.ts';
import type { PlainField } from '../schemas/plain-field.ts';

/** Reads the value of a field from a cell of a CSV file. */
type ReadCell = (cell: string) => unknown;

interface Column {
  /** The field that the cell is of, or a field within another. */
  path: readonly [string] | readonly [string, string];
  read: ReadCell;
}

const readText: ReadCell = (cell) => cell;
const readWords: ReadCell = (cell) => cell.split(' ').filter((word) => word !== '');
const readJson: ReadCell = (cell) => parseStrictJson(cell);
/** Other words stay text, which the validation of the field refuses. */
const readBoolean: ReadCell = (cell) => (cell === 'true' ? true : cell === 'false' ? false : cell);
const readInteger: ReadCell = (cell) => (/^\d{1,15}$/.test(cell) ? Number(cell) : cell);

const BY_TYPE: Record<string, ReadCell> = {
  string: readText,
  boolean: readBoolean,
  integer: readInteger,
  array: readWords,
};

const column = (name: string, read: ReadCell = readText): Column => ({ path: [name], read });

const COLUMNS = new Map<string, Column>([
  ['name', column('name')],
  ['hash_algorithm', { path: ['hash', 'algorithm'], read: readText }],
  ['hash_value', { path: ['hash', 'value'], read: readText }],
  ['start', column('start')],
  ...Object.entries(plainFields).map(plainColumn),
  // Resources can contain spaces.
  ['resources', column('resources', readJson)],
  ['prefix', column('prefix')],
  ['not_before', column('notBefore')],
  ['expires_at', column('expiresAt')],
  ['expires_in_seconds', column('expiresInSeconds', readInteger)],
  ['rate_limits', column('rateLimits', readJson)],
  ['credits', column('credits', readJson)],
  ['metadata', column('metadata', readJson)],
]);

function plainColumn([name, { create }]: [string, PlainField]): [string, Column] {
  const read = BY_TYPE[typeOf(create)] ?? readJson;
  return [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), column(name, read)];
}

/** The type of a field that is not null. */
function typeOf(schema: object): string {
  const { type, anyOf }: { type?: string; anyOf?: { type?: string }[] } = { ...schema };
  return type ?? anyOf?.[0]?.type ?? '';
}

/** The column names of the first line: all known, none given twice. */
export function readHeader(cells: readonly string[]): string[] {
  const names = cells.map((cell) => cell.trim());
  const unknown = names.find((name) => !COLUMNS.has(name));
  if (unknown !== undefined) {
    const known = [...COLUMNS.keys()].join(', ');
    throw new UsageError(`The first line names no column ${unknown}; known are ${known}.`);
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError(`The first line names the column ${twice} twice.`);
  return names;
}

/** The item that a row describes. An empty cell leaves the field out. */
export function itemOfCells(header: readonly string[], cells: readonly string[]) {
  if (cells.length !== header.length) {
    const detail = `has ${cells.length} columns, the first line ${header.length}`;
    return { value: null, errors: [{ pointer: '', detail }] };
  }
  const value: Record<string, unknown> = {};
  const errors: FieldError[] = [];
  header.forEach((name, index) => {
    const cell = cells[index] ?? '';
    const known = COLUMNS.get(name);
    if (cell === '' || !known) return;
    try {
      put(value, known.path, known.read(cell));
    } catch {
      errors.push({ pointer: `/${known.path.join('/')}`, detail: 'must be JSON' });
    }
  });
  return { value, errors };
}

function put(item: Record<string, unknown>, [name, inner]: Column['path'], value: unknown): void {
  if (inner === undefined) item[name] = value;
  else item[name] = { ...toObject(item[name]), [inner]: value };
}

function toObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
