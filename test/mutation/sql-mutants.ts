import { readFileSync } from 'node:fs';
import type { Edit } from './record.ts';

type Swap = readonly [RegExp, string | ((found: string) => string)];

/** What to look for, and what to put in its place. */
const SWAPS: readonly Swap[] = [
  [/ < /g, ' <= '],
  [/ <= /g, ' < '],
  [/ > /g, ' >= '],
  [/ >= /g, ' > '],
  [/ <> /g, ' = '],
  [/(?<=\b(?:where|and|or|if|on|when|not)\b[^\n=<>]*) = /gi, ' <> '],
  [/ \+ /g, ' - '],
  [/ - /g, ' + '],
  [/ % /g, ' / '],
  [/(?<!timestamp \()\d+(?<![\w$.{"']\d+)(?![\w.}"'])/g, (found) => String(Number(found) + 1)],
  [/\bfalse\b/gi, 'true'],
  [/\btrue\b/gi, 'false'],
  [/\band\b/gi, 'or'],
  [/\bor\b(?! replace)/gi, 'and'],
  [/\bnot (?=\w+\()/gi, ''],
  [/\bif not found\b/gi, 'if found'],
  [/\bis null\b/gi, 'is not null'],
  [/\bis not null\b/gi, 'is null'],
  [/\bgreatest\(/gi, 'least('],
  [/\bleast\(/gi, 'greatest('],
  [/\bmin\(/gi, 'max('],
  [/\bmax\(/gi, 'min('],
  [/\benable always\b/gi, 'enable'],
  [/ collate "C"/gi, ''],
  [/\bfor (?:no key )?update\b/gi, ''],
  [/\border by [^;)\n`]+?(?= for\b|[;)\n`])/gi, ''],
  [/\bwhere [^;)\n`]+/gi, ''],
  // Whole statements of a migration; those inside of functions are indented.
  [
    /^(?:alter(?! table \S+ add column)|create trigger|create (?:unique )?index|insert|select)\b[^;]*;/gim,
    '',
  ],
];

const COMMENT = /--.*/g;
const TEMPLATE = /`[^`]*`/g;
const STATEMENT = /\b(?:select|insert into|delete from|update \S+ set)\b/i;

/** Every single change to the SQL of a file, in the order of its text. */
export function sqlMutantsOf(file: string): Edit[] {
  const sql = sqlOf(file, readFileSync(file, 'utf8'));
  const edits = SWAPS.flatMap(([pattern, replacement]) =>
    [...sql.matchAll(pattern)].map(({ index, 0: found }) => {
      const put = typeof replacement === 'string' ? replacement : replacement(found);
      return { file, from: index, to: index + found.length, replacement: put };
    }),
  );
  return edits.sort((a, b) => a.from - b.from);
}

/** The text, with spaces in place of what is not SQL. */
function sqlOf(file: string, text: string): string {
  if (file.endsWith('.sql')) return text.replaceAll(COMMENT, blank);
  const statements = [...text.matchAll(TEMPLATE)].filter(([found]) => STATEMENT.test(found));
  return statements.reduce(
    (sql, { index, 0: found }) => sql.slice(0, index) + found + sql.slice(index + found.length),
    blank(text),
  );
}

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, ' ');
}
