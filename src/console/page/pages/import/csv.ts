/** A line of a CSV file, or several where a quoted cell has line ends. */
export interface CsvRecord {
  line: number;
  cells: string[];
}

const CELL = /("[^"]*(?:""[^"]*)*"|[^",\r\n]*)(,|\r\n|\r|\n|$)/y;

/** The records of RFC 4180 without blank ones; null where a quote is out of place, with its line. */
export function csvRecords(text: string): { records: CsvRecord[]; brokenAt: number | null } {
  const records: CsvRecord[] = [];
  const cell = new RegExp(CELL);
  let line = 1;
  let record: CsvRecord = { line, cells: [] };
  for (;;) {
    const found = cell.exec(text);
    if (!found) return { records, brokenAt: line };
    const [whole, value = '', end = ''] = found;
    record.cells.push(unquoted(value));
    line += whole.match(/\r\n|\r|\n/g)?.length ?? 0;
    if (end === ',') continue;
    if (record.cells.some((one) => one !== '')) records.push(record);
    if (end === '') return { records, brokenAt: null };
    record = { line, cells: [] };
  }
}

function unquoted(cell: string): string {
  return cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell;
}

type Kind = 'text' | 'words' | 'flag' | 'integer' | 'json';

/** The columns of docs/import.md, by the field that each is of. */
const COLUMNS: Record<string, readonly [field: string, kind: Kind]> = {
  name: ['name', 'text'],
  hash_algorithm: ['algorithm', 'text'],
  hash_value: ['value', 'text'],
  owner_id: ['ownerId', 'text'],
  description: ['description', 'text'],
  prefix: ['prefix', 'text'],
  start: ['start', 'text'],
  scopes: ['scopes', 'words'],
  allowed_ips: ['allowedIps', 'words'],
  not_before: ['notBefore', 'text'],
  expires_at: ['expiresAt', 'text'],
  expires_in_seconds: ['expiresInSeconds', 'integer'],
  enabled: ['enabled', 'flag'],
  resources: ['resources', 'json'],
  metadata: ['metadata', 'json'],
  rate_limits: ['rateLimits', 'json'],
  credits: ['credits', 'json'],
};

/** What is wrong with the first line; null: nothing. */
export function headerFault(names: readonly string[]): string | null {
  const unknown = names.find((name) => !Object.hasOwn(COLUMNS, name));
  if (unknown !== undefined) {
    return `The first line names no column “${unknown}”. Known are: ${Object.keys(COLUMNS).join(', ')}.`;
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? null : `The first line names the column “${twice}” twice.`;
}

/** The item that a row describes; an empty cell leaves its field out. Throws where a cell is no JSON. */
export function itemOfCells(names: readonly string[], cells: readonly string[]): object {
  const fields = names.flatMap((name, index) => {
    const cell = cells[index] ?? '';
    const column = COLUMNS[name];
    return cell === '' || !column ? [] : [[column[0], read(cell, column[1], name)] as const];
  });
  const { algorithm, value, ...item } = Object.fromEntries(fields);
  return { ...item, hash: { algorithm, value } };
}

/** Words that are no number and no flag stay text, which the API refuses. */
function read(cell: string, kind: Kind, name: string): unknown {
  if (kind === 'words') return cell.split(' ').filter((word) => word !== '');
  if (kind === 'flag') return { true: true, false: false }[cell] ?? cell;
  if (kind === 'integer') return /^\d{1,15}$/.test(cell) ? Number(cell) : cell;
  if (kind === 'text') return cell;
  try {
    return JSON.parse(cell);
  } catch {
    throw new Error(`${name} is no JSON`);
  }
}
