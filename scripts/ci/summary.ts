import { stripVTControlCharacters } from 'node:util';

/** What one suite came to. */
export interface Result {
  name: string;
  passed: number;
  failed: number;
  skipped: number;
  seconds: number;
  note: string;
}

/** The JSON report of vitest, as far as it is counted. */
export interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: readonly {
    name: string;
    status: string;
    message: string;
    assertionResults: readonly TestReport[];
  }[];
}

interface TestReport {
  status: string;
  fullName: string;
  failureMessages: readonly string[];
}

/** What is shown of why a test failed: where it failed comes after its message, if that is short. */
const REASON_LINES = 20;
const LINE_LENGTH = 200;

type Counts = Pick<Result, 'passed' | 'failed' | 'skipped'>;

/** The tests of a suite that has left a report; any other suite counts as one test. */
export function countsOf(succeeded: boolean, report: Report | null): Counts {
  if (report === null) return { passed: Number(succeeded), failed: Number(!succeeded), skipped: 0 };
  // A file that cannot be loaded, or whose set-up fails, has no failed test.
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = report.numFailedTests + broken.length;
  return {
    passed: report.numPassedTests,
    // An error outside of any test fails the command alone.
    failed: succeeded ? failed : Math.max(1, failed),
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** Each failed test with why, for the end of a long log. */
export function failuresOf({ testResults }: Report): string[] {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const tests = assertionResults.filter((test) => test.status === 'failed');
    // A file that cannot be loaded, or whose set-up fails, has no failed test.
    if (tests.length === 0)
      return status === 'failed' ? [`✗ ${name}\n${shortened(message)}\n`] : [];
    return tests.map((test) => `✗ ${described(name, test)}`);
  });
}

function described(file: string, { fullName, failureMessages }: TestReport): string {
  const reasons = failureMessages.map((reason) => `${shortened(reason)}\n`);
  return `${file} > ${fullName}\n${reasons.join('')}`;
}

/** The first lines, none of them wider than a window. */
export function shortened(text: string, lines = REASON_LINES): string {
  return stripVTControlCharacters(text)
    .trim()
    .split('\n')
    .slice(0, lines)
    .map((line) => (line.length > LINE_LENGTH ? `${line.slice(0, LINE_LENGTH)} …` : line))
    .join('\n');
}

const HEADER = ['', 'suite', 'passed', 'failed', 'skipped', 'seconds', ''];

/** One row for each suite, aligned for a terminal; also a table of Markdown. */
export function tableOf(results: readonly Result[]): string {
  const rows = [HEADER, ...results.map(cellsOf), cellsOf({ ...totalOf(results), name: 'total' })];
  const widths = HEADER.map((_, column) =>
    Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const isNumber = (column: number) => column >= 2 && column <= 5;
  const rule = widths.map((width, column) =>
    isNumber(column) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  const [head = [], ...body] = rows.map((row) =>
    row.map((cell, column) =>
      isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    ),
  );
  return [head, rule, ...body].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function cellsOf({ name, passed, failed, skipped, seconds, note }: Result): string[] {
  const sign = failed > 0 ? '✗' : passed > 0 ? '✓' : '–';
  return [sign, name, ...[passed, failed, skipped, Math.round(seconds)].map(String), note];
}

export function totalOf(results: readonly Result[]): Result {
  const sum = (of: (result: Result) => number) => results.reduce((all, one) => all + of(one), 0);
  return {
    name: '',
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed),
    skipped: sum(({ skipped }) => skipped),
    seconds: sum(({ seconds }) => seconds),
    note: '',
  };
}
