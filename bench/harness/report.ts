import { median } from './statistics.ts';

/** What one process of a case measured: a row of its table, by column. */
export interface Row {
  name: string;
  figures: Readonly<Record<string, number>>;
}

const NOT_MEASURED = '–';

/** The rows of every process as one table in Markdown: medians, and from least to most. */
export function tableOf(rows: readonly Row[]): string {
  const names = [...new Set(rows.map(({ name }) => name))];
  const columns = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
  const lines = names.map((name) => {
    const own = rows.filter((row) => row.name === name);
    return [name, ...columns.map((column) => cellOf(own.map(({ figures }) => figures[column])))];
  });
  const rule = ['---', ...columns.map(() => '---:')];
  return [['', ...columns], rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function cellOf(figures: readonly (number | undefined)[]): string {
  const values = figures.filter((value) => value !== undefined);
  if (values.length === 0) return NOT_MEASURED;
  const middle = formatted(median(values));
  if (values.length === 1) return middle;
  return `${middle} (${formatted(Math.min(...values))}–${formatted(Math.max(...values))})`;
}

/** Three digits that count, two decimal places at most. */
function formatted(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return Number(value.toPrecision(3)).toLocaleString('en-US');
  return value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0);
}

/** The document with this text between `<!-- bench NAME -->` and `<!-- /bench -->`. */
export function fillIn(document: string, name: string, text: string): string {
  const opening = `<!-- bench ${name} -->`;
  const start = document.indexOf(opening);
  const end = document.indexOf('<!-- /bench -->', start);
  if (start < 0 || end < 0) throw new Error(`the document has no place for ${name}`);
  return `${document.slice(0, start + opening.length)}\n\n${text}\n\n${document.slice(end)}`;
}
