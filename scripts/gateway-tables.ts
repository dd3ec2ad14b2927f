import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

/** Writes what the tests of test/gateways found, a report of vitest, into docs/gateways.md. */
interface Report {
  testResults: { assertionResults: { title: string; status: string }[] }[];
}

interface Table {
  marker: string;
  columns: readonly string[];
  /** What stands between the name of the gateway and the rest of a title. */
  after: string;
  cases: readonly (readonly [name: string, title: RegExp])[];
}

const PAGE = new URL('../docs/gateways.md', import.meta.url);

const TESTED: Table = {
  marker: 'tested',
  columns: ['nginx', 'Caddy', 'HAProxy'],
  after: ' ',
  cases: [
    ['a valid key passes, with its identity and without the key', /^lets a valid key through/],
    ['no key, an unknown key, two keys: 401', /^stops a request without a key/],
    ['a scope, a resource or an address is missing: 403', /^stops a key that lacks/],
    ['revoked a moment ago: 401', /^stops a key that was revoked/],
    ['a limit is reached: 429, `Retry-After`, `RateLimit`', /^tells a client how its rate limits/],
    ['no credits: 429 without `Retry-After`', /^sends no Retry-After/],
    ['`Deprecation` and `Sunset` for a retiring string', /^tells the client of a retiring/],
    ["the API's own answers are handed on", /^hands on what the API itself/],
    ['the largest key', /^lets the largest key/],
    ['forged and stripped identity headers have no effect', /^does not let a client (forge|strip)/],
    ['questions that a client writes have no effect', /^does not let a client weaken/],
    ['every method, framing and header is judged alike', /^asks (about every|the same about)/],
    ['headers that are too large: closed', /^is closed to headers/],
    ['no path leads past its question', /^lets (no path|a path|a request whose line)/],
    ['CORS preflight', /^(answers the preflight|asks for a key if a preflight)/],
    ['allowed web pages can read every answer', /^lets an allowed web page/],
    ['websocket: opened with a key, refused without', /^opens a websocket/],
    ['no other upgrade is handed on (h2c)', /^hands on no upgrade/],
    ['bodies of several megabytes', /(body of several megabytes|before its body has come)/],
    ['the address of the client comes from trusted proxies alone', /^believes X-Forwarded-For/],
    [
      'Keyward is away or does not answer: closed',
      /^is closed (while Keyward is away|and answers within)/,
    ],
    ["the gateway's own credential is wrong: closed", /^is closed if its own credential/],
    ['a question is misspelt or missing: closed', /^is closed at a location/],
  ],
};

const DOCUMENTED: Table = {
  marker: 'documented',
  columns: ['Traefik', 'Envoy', 'APISIX', 'Kong', 'ingress-nginx', 'Envoy Gateway'],
  after: ', by its documentation, ',
  cases: [
    ['a valid key passes, with its identity', /^lets a valid key through/],
    ['no key, an unknown key, revoked a moment ago: 401', /^refuses a missing/],
    ['a scope is missing: 403', /^refuses a key without the scope/],
    ['a limit is reached: 429', /^refuses a limited key with 429/],
    ['a limit is reached: 403', /^refuses a limited key with 403/],
    ['forged identity and questions have no effect', /^asks what its file says/],
    ['a wrong credential or a stripped question: closed', /^is closed if its credential/],
    ['a key that is bound to the address of the client passes', /^lets a key that is bound/],
    ['a key that is bound to addresses: 403', /^refuses a key that is bound/],
    ['limits and retiring strings are told if the key passes', /^tells a client whose key passes/],
  ],
};

const VERSIONS: readonly (readonly [name: string, program: string | undefined, flag: string])[] = [
  ['nginx', process.env.KEYWARD_TEST_NGINX, '-v'],
  ['Caddy', process.env.KEYWARD_TEST_CADDY, 'version'],
  ['HAProxy', process.env.KEYWARD_TEST_HAPROXY, '-v'],
];

function rowsOf({ columns, after, cases }: Table, { testResults }: Report): string[] {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const rows = cases.map(([name, title]) => {
    const cells = columns.map((column) =>
      cell(
        tests.filter(
          (test) =>
            test.title.startsWith(column + after) &&
            title.test(test.title.slice(column.length + after.length)),
        ),
      ),
    );
    return `| ${name} | ${cells.join(' | ')} |`;
  });
  return [`| | ${columns.join(' | ')} |`, `|---|${columns.map(() => '---|').join('')}`, ...rows];
}

function cell(tests: { status: string }[]): string {
  const run = tests.filter(({ status }) => status !== 'skipped' && status !== 'pending');
  const failed = run.filter(({ status }) => status !== 'passed').length;
  if (run.length === 0) return '–';
  return failed > 0 ? `✗ ${failed} of ${run.length}` : `✓ ${run.length}`;
}

/** A test without a row would be missing from the page. */
function assertComplete({ columns, after, cases }: Table, { testResults }: Report): void {
  for (const { title } of testResults.flatMap((file) => file.assertionResults)) {
    const column = columns.find((name) => title.startsWith(name + after));
    const rest = title.slice((column ?? '').length + after.length);
    if (column !== undefined && !cases.some(([, pattern]) => pattern.test(rest)))
      throw new Error(`no row of the table has “${title}”`);
  }
}

function versionOf(program: string, flag: string): string {
  const printed = execFileSync('sh', ['-c', `"$0" ${flag} 2>&1`, program], { encoding: 'utf8' });
  return /\d+(\.\d+)+/.exec(printed)?.[0] ?? 'of an unknown version';
}

function between(page: string, marker: string, lines: readonly string[]): string {
  const pattern = new RegExp(`(<!-- ${marker}: [^>]*-->\n).*?(<!-- end -->)`, 's');
  if (!pattern.test(page)) throw new Error(`the page has no place for “${marker}”`);
  return page.replace(pattern, (_, begin, end) => `${begin}\n${lines.join('\n')}\n\n${end}`);
}

const report: Report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const versions = VERSIONS.map(
  ([name, program, flag]) => `${name} ${program ? versionOf(program, flag) : 'was not installed'}`,
);
let page = readFileSync(PAGE, 'utf8');
for (const table of [TESTED, DOCUMENTED]) {
  assertComplete(table, report);
  const tested = table === TESTED ? [`${versions.join(', ')}.`, ''] : [];
  page = between(page, table.marker, [...tested, ...rowsOf(table, report)]);
}
writeFileSync(PAGE, page);
