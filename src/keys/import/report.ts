import { randomUUID } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { type Static, Type } from 'typebox';
import type { FieldError } from '../../errors.ts';
import { guardOf } from '../../http/validation/parsers.ts';
import { UsageError } from '../../lib/command-line.ts';
import { explainFileError } from '../../lib/file-errors.ts';
import { textLines } from '../../lib/text-lines.ts';

/** The file and the workspace that it is imported into: a report belongs to one such pair. */
export interface ImportOrigin {
  sha256: string;
  workspaceId: string;
}

/** A line that no key was created for. */
export interface RefusedLine {
  line: number;
  status: string;
  errors: readonly FieldError[];
}

const Position = Type.Object({
  type: Type.Literal('position'),
  /** Everything up to this line is done. */
  line: Type.Integer(),
  created: Type.Integer(),
  duplicates: Type.Integer(),
  invalid: Type.Integer(),
});
export type Position = Omit<Static<typeof Position>, 'type'>;

const Header = Type.Object({
  type: Type.Literal('import'),
  id: Type.String(),
  sha256: Type.String(),
  workspaceId: Type.String(),
});

export const START: Position = { line: 0, created: 0, duplicates: 0, invalid: 0 };
const MAX_LINE_LENGTH = 1_048_576;

/**
 * The progress of an import, as JSON lines: a header that identifies the file, each line that no
 * key was created for, and after each chunk the position. Only lines before the last position count.
 */
export class ReportFile {
  /** Identifies this import over all its runs. */
  readonly id: string;
  readonly position: Position;
  readonly #path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle, id: string, position: Position) {
    this.#path = path;
    this.#file = file;
    this.id = id;
    this.position = position;
  }

  /** A new report, or one to continue: what a killed run has left half written is cut off. */
  static async open(path: string, origin: ImportOrigin): Promise<ReportFile> {
    const file = await open(path, 'a+');
    try {
      const status = await file.stat();
      // A device would be read without an end.
      if (!status.isFile()) throw new UsageError(`${path} is not a file that can hold a report.`);
      const { header, position, bytes } = await read(path, status.size);
      if (header) requireSame(path, header, origin);
      await file.truncate(bytes).catch(refuseReport(path));
      const report = new ReportFile(path, file, header?.id ?? randomUUID(), position);
      if (!header) await report.#write([{ type: 'import', id: report.id, ...origin }]);
      return report;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Durable once it resolves: the lines, and that everything up to the position is done. */
  async add(lines: readonly RefusedLine[], position: Position): Promise<void> {
    const refused = lines.map((line) => ({ type: 'line', ...line }));
    await this.#write([...refused, { type: 'position', ...position }]);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #write(entries: readonly object[]): Promise<void> {
    const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
    const refuse = refuseReport(this.#path);
    await this.#file.appendFile(text).catch(refuse);
    await this.#file.datasync().catch(refuse);
  }
}

/** The errors of an open file do not name it. */
function refuseReport(path: string) {
  return (error: unknown): never => {
    const problem = explainFileError(error);
    throw problem === null ? error : new UsageError(`${path}: ${problem}`);
  };
}

/** The header, the last position, and the number of bytes up to its end. */
async function read(path: string, size: number) {
  const found: { header: Static<typeof Header> | null; position: Position; bytes: number } = {
    header: null,
    position: START,
    bytes: 0,
  };
  const isPosition = guardOf(Position);
  let end = 0;
  for await (const { text } of textLines(path, MAX_LINE_LENGTH)) {
    end += Buffer.byteLength(text ?? '') + 1;
    const isTorn = end > size;
    if (!found.header && isTorn && isBeginningOfHeader(text ?? '')) break;
    const entry = isTorn ? null : parse(text ?? '');
    if (!found.header) found.header = toHeader(path, entry);
    else if (isPosition(entry)) found.position = withoutType(entry);
    else continue;
    found.bytes = end;
  }
  return found;
}

/** Anything else is never cut off: it can be another file. */
function isBeginningOfHeader(text: string): boolean {
  const beginning = '{"type":"import","id":"';
  return text.startsWith(beginning) || beginning.startsWith(text);
}

function toHeader(path: string, entry: unknown): Static<typeof Header> {
  if (guardOf(Header)(entry)) return entry;
  throw new UsageError(`${path} is there already and is not the report of an import.`);
}

function withoutType({ type: _, ...position }: Static<typeof Position>): Position {
  return position;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function requireSame(path: string, header: Static<typeof Header>, origin: ImportOrigin): void {
  if (header.workspaceId !== origin.workspaceId) {
    throw new UsageError(`${path} reports an import into the workspace ${header.workspaceId}.`);
  }
  if (header.sha256 === origin.sha256) return;
  throw new UsageError(`${path} reports on another file, or it was changed since; name a new one.`);
}
