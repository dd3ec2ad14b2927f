import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const PLACES = ['src', 'test', 'bench', 'openapi', 'scripts', 'docs', 'deploy'];
const PAGES = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];
const READ = /\.(ts|mjs|md|json|sh|conf)$/;
/** Generated from openapi/openapi.json, which is read itself; and this table. */
const PASSED_OVER =
  /node_modules|results|clients\/(generated|out)|schema\.d\.ts$|package-lock\.json$|vocabulary\.test\.ts$/;

/** Words that are not plain technical English here, and names that have better ones by now. */
const RETIRED: readonly [word: RegExp, instead: string][] = [
  [/\bmend(s|ed|ing)?\b/i, 'fix, repair, restore'],
  [/\banew\b/i, 'again'],
  [/\bso many\b/i, 'a number'],
  [/\bwish(es|ed)?\b/i, 'request, options'],
  [/\bwhence\b/i, 'from where'],
  [/\b(hence|thereof|wherein|upon)\b/i, 'so, of it, in which, on'],
  [/\bwhoever\b/i, 'anyone who, a caller that'],
  [/\bkeep(s|ing)? (no )?house\b/i, 'maintain'],
  [/\bmade good\b/i, 'repaired, tried again'],
  [/\bthe face of\b/i, 'the interface of'],
  [/\b(he|his|him)\b/, 'the caller, its'],
  [/\bgiveUp\w*/, 'revokeOwnKey'],
  [/\b[Pp]rover\b|\bprovenBy\b|\bhasProven\b/, 'SecretVerifier, matchedDigest'],
  [/\b[Cc]oalescer\b/, 'RequestBatcher'],
  [/\b(Proof|Hash)?Lane\b/, 'ConcurrencyLimiter, BatchStream'],
  [/\b(Spender|Consumer|SpendingOutcome)\b/, 'QuotaStore, QuotaResult'],
  [/\bHolder\b|\bHeldKey\b/, 'PresentedKey, KnownKey'],
  [/\bStateLoader\b|\bKeyState\b|\bSecretState\b/, 'CredentialLoader, Credential'],
  [/\bWaitingRoom\b|\bwaiting-room\b/, 'startup server'],
  [/\bholdPolicies\b|\baboutKey\b/, 'lockWorkspace, keyTarget'],
  [/\b(onS|S)tage\b|\brehears\w*/i, 'fixture, prepare; withBenchEnv'],
  [/\bmeddl\w*/i, 'interceptQuery'],
  [/\bPLANTS\b|\bplants\.ts\b|\b(planted|a) plant\b/i, 'seeded bugs'],
  [/\bFuzzee\b|\bstartEngine\b|\bStory\b/, 'FuzzTarget, startCacheFixture, HistoryBuilder'],
];

function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
}

const texts = [...PAGES, ...PLACES.flatMap(filesIn)]
  .filter((path) => READ.test(path) && !PASSED_OVER.test(path))
  .map((path) => ({ path, lines: readFileSync(join(ROOT, path), 'utf8').split('\n') }));

it.each(RETIRED)('no text and no name of the project uses %s; instead: %s', (word) => {
  const found = texts.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) =>
      word.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [],
    ),
  );
  expect(found).toEqual([]);
});
