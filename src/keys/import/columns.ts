import type { FieldError } from '../../errors.ts';
import { UsageError } from '../../lib/command-line.ts';

/** How the cells of a CSV file become the fields of a key. */
type Reading = (cell: string) => unknown;

interface Column {
  /** Where it goes: one name, or two. */
  path: readonly [string] | readonly [string, string];
  read: Reading;
}

const asText: Reading = (cell) => cell;
const asWords: Reading = (cell) => cell.split(' ').filter((word) => word !== '');
const asJson: Reading = (cell) => JSON.parse(cell);
/** What is neither stays text, and the check of the field says so. */
const asBoolean: Reading = (cell) => (cell === 'true' ? true : cell === 'false' ? false : cell);
const asInteger: Reading = (cell) => (/^\d{1,15}$/.test(cell) ? Number(cell) : cell);

const column = (name: string, read: Reading = asText): Column => ({ path: [name], read });

const COLUMNS = new Map<string, Column>(
  Object.entries({
    name: column('name'),
    hash_algorithm: { path: ['hash', 'algorithm'], read: asText },
    hash_value: { path: ['hash', 'value'], read: asText },
    start: column('start'),
    description: column('description'),
    prefix: column('prefix'),
    owner_id: column('ownerId'),
    scopes: column('scopes', asWords),
    resources: column('resources', asJson),
    allowed_ips: column('allowedIps', asWords),
    not_before: column('notBefore'),
    expires_at: column('expiresAt'),
    expires_in_seconds: column('expiresInSeconds', asInteger),
    rate_limits: column('rateLimits', asJson),
    credits: column('credits', asJson),
    metadata: column('metadata', asJson),
    enabled: column('enabled', asBoolean),
  }),
);

/** The names of the columns, all of them known and each but once. */
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

/** The key that a row describes. An empty cell is a field that is left out. */
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
