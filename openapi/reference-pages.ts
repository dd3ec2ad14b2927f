import { SETTINGS } from '../src/config.ts';
import { VERDICT_CODES } from '../src/domain/verdict.ts';
import { ERRORS, type ErrorCode, KeywardError } from '../src/errors.ts';
import { statusOf } from '../src/http/problem.ts';
import { ERROR_ADVICE, VERDICT_ADVICE } from './advice.ts';

/** The tables of docs/reference, each by the name of its page. */
export function referenceTables(document: object): Record<string, string> {
  return {
    calls: callsTable(document),
    settings: settingsTable(),
    errors: errorsTable(),
    verdicts: verdictsTable(),
  };
}

interface Described {
  paths?: Record<string, Record<string, { summary?: string; operationId?: string }>>;
}

function callsTable({ paths = {} }: Described): string {
  const rows = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { summary = '', operationId = '' }]) => [
      `\`${method.toUpperCase()} ${path}\``,
      summary,
      `\`${operationId}\``,
    ]),
  );
  return table(['call', 'what it does', 'operation'], rows);
}

function settingsTable(): string {
  const rows = Object.entries(SETTINGS).map(([name, { default: value, desc = '' }]) => [
    `\`${name}\``,
    shownDefault(value),
    desc,
  ]);
  return table(['variable', 'default', 'meaning'], rows);
}

function shownDefault(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'boolean' ? (value ? '`on`' : '`off`') : `\`${value}\``;
}

function errorsTable(): string {
  const codes = Object.keys(ERRORS).filter((code): code is ErrorCode => code in ERRORS);
  const rows = codes
    .map((code) => ({ code, status: statusOf(new KeywardError(code)) }))
    .toSorted((a, b) => a.status - b.status || a.code.localeCompare(b.code, 'en'))
    .map(({ code, status }) => [`\`${code}\``, String(status), ERRORS[code], ERROR_ADVICE[code]]);
  return table(['code', 'status', 'meaning', 'what to do'], rows);
}

function verdictsTable(): string {
  const rows = VERDICT_CODES.map((code) => {
    const { status, meaning, advice } = VERDICT_ADVICE[code];
    return [`\`${code}\``, String(status), meaning, advice];
  });
  return table(['verdict', 'of a gateway', 'meaning', 'what to do'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}
