import { createReadStream } from 'node:fs';
import { CsvError, parse } from 'csv-parse';
import type { FieldError } from '../../errors.ts';
import { UsageError } from '../../lib/command-line.ts';
import { parseStrictJson } from '../../lib/strict-json.ts';
import { textLines } from '../../lib/text-lines.ts';
import { itemOfCells, readHeader } from './columns.ts';

/** What a line of a file says; null, with errors, if it cannot be read. */
export interface FileRecord {
  line: number;
  value: unknown;
  errors: readonly FieldError[];
}

const MAX_RECORD_LENGTH = 1_048_576;
const FORMATS = { '.csv': csvRecords, '.jsonl': jsonRecords, '.ndjson': jsonRecords };

/** The records of a file in their order, one at a time. Blank lines are skipped. */
export function recordsOf(path: string): AsyncGenerator<FileRecord> {
  const format = Object.entries(FORMATS).find(([ending]) => path.toLowerCase().endsWith(ending));
  if (format) return format[1](path);
  throw new UsageError(`${path}: must end in .csv or .jsonl.`);
}

async function* jsonRecords(path: string): AsyncGenerator<FileRecord> {
  for await (const { number: line, text } of textLines(path, MAX_RECORD_LENGTH)) {
    if (text === null) yield unreadable(line, 'is too long for a key');
    else if (text.trim() !== '') yield jsonRecord(line, text.replace(/^\uFEFF/, ''));
  }
}

/** The parser's own message would quote the line. */
function jsonRecord(line: number, text: string): FileRecord {
  try {
    return { line, value: parseStrictJson(text), errors: [] };
  } catch {
    return unreadable(line, 'must be JSON, with each name once');
  }
}

async function* csvRecords(path: string): AsyncGenerator<FileRecord> {
  const parser = parse({
    bom: true,
    raw: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_RECORD_LENGTH,
  });
  const file = createReadStream(path);
  file.on('error', (error) => parser.destroy(error));
  let header: string[] | null = null;
  let linesBefore = 0;
  try {
    for await (const row of file.pipe(parser)) {
      const { record, raw }: { record: string[]; raw: string } = row;
      const [blank = ''] = /^[\r\n]*/.exec(raw) ?? [];
      const line = linesBefore + lineEnds(blank) + 1;
      linesBefore += lineEnds(raw);
      if (header) yield { line, ...itemOfCells(header, record) };
      else header = readHeader(record);
    }
  } catch (error) {
    throw error instanceof CsvError ? broken(path, error) : error;
  } finally {
    file.destroy();
  }
}

/** The parser itself counts a CR LF within quotes as two line ends. */
function lineEnds(text: string): number {
  return text.match(/\r\n|\r|\n/g)?.length ?? 0;
}

/** After an unbalanced quote the records cannot be told apart, so nothing is guessed. */
function broken(path: string, error: CsvError): UsageError {
  const why = error.code.replace(/^CSV_/, '').replaceAll('_', ' ').toLowerCase();
  const line = 'lines' in error ? ` near line ${error.lines}` : '';
  return new UsageError(`${path}: is not CSV${line} (${why}).`);
}

function unreadable(line: number, detail: string): FileRecord {
  return { line, value: null, errors: [{ pointer: '', detail }] };
}
