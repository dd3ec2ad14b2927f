import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getTableName, is } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import { describe, expect, it } from 'vitest';
import { openapiDocument } from '../../openapi/document.ts';
import { SETTINGS } from '../../src/config.ts';
import * as schema from '../../src/db/schema.ts';
import { ERRORS, type ErrorCode, KeywardError } from '../../src/errors.ts';
import { statusOf } from '../../src/http/problem.ts';

/**
 * Documents name the tests that prove their statements: `api/rotation` “a rotation with …”, “…”.
 */
const ROOT = join(import.meta.dirname, '../..');
const NAMED = /`((?:unit|api|acceptance|gateways)\/[a-z0-9-]+)`((?:[,;]?\s+“[^”]+”)+)/g;

const documents = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CODE_OF_CONDUCT.md'],
  ...['docs', 'deploy', 'examples'].flatMap(markdownIn),
];
const texts = new Map(documents.map((name) => [name, readFileSync(join(ROOT, name), 'utf8')]));

function markdownIn(folder: string): string[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.md')).map((name) => join(folder, name));
}

/** The file and the title of every test that a document names. */
function testsNamedIn(text: string): [string, string][] {
  return [...text.matchAll(NAMED)].flatMap(([, file = '', titles = '']) =>
    [...titles.matchAll(/“([^”]+)”/g)].map(([, title = '']): [string, string] => [file, title]),
  );
}

/** The text without differences in quotes and line breaks. */
const plain = (text: string) => text.replaceAll(/\s+/g, ' ').replaceAll(/[\\’']/g, '');

function exists([file, title]: [string, string]): boolean {
  const path = join(ROOT, 'test', `${file}.test.ts`);
  return existsSync(path) && plain(readFileSync(path, 'utf8')).includes(plain(title));
}

describe('the documents', () => {
  it.each(documents)('%s names tests that exist', (name) => {
    const missing = testsNamedIn(texts.get(name) ?? '').filter((named) => !exists(named));
    expect(missing).toEqual([]);
  });
});

describe('docs/http.md', () => {
  it('docs/http.md has every error code in the row of its status, and no code that does not exist', () => {
    const codes = Object.keys(ERRORS).filter((code): code is ErrorCode => code in ERRORS);
    const actual = codes.map((code) => `${statusOf(new KeywardError(code))} ${code}`);
    const rows = [
      ...(texts.get(join('docs', 'http.md')) ?? '').matchAll(/^\| (\d{3}) \|([^|]*)\|/gm),
    ];
    const documented = rows.flatMap(([, status, cell = '']) =>
      [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => `${status} ${code}`),
    );
    const ofGateways = ['401 KEY_MISSING', '401 KEY_AMBIGUOUS'];
    expect(documented.sort()).toEqual([...actual, ...ofGateways].sort());
  });
});

describe('docs/compare.md', () => {
  it('docs/compare.md quotes the ratios to better-auth that docs/performance.md has', () => {
    const performance = texts.get(join('docs', 'performance.md')) ?? '';
    const rows = [...performance.matchAll(/^\| \d+ connections? \|.*\| ([^|]+) \|$/gm)];
    const ratios = rows.map(([, ratio = '']) => ratio);
    expect(ratios.length).toBeGreaterThan(1);
    const text = texts.get(join('docs', 'compare.md')) ?? '';
    expect(ratios.filter((ratio) => !text.includes(ratio))).toEqual([]);
  });
});

describe('docs/storage.md', () => {
  it('docs/storage.md has a row for every table, and every setting of what is kept', () => {
    const text = texts.get(join('docs', 'storage.md')) ?? '';
    const withoutDrizzle = ['change_feed', 'feed_horizons', 'feed_pruned', 'incarnation'];
    const tables = Object.values(schema).flatMap((table) => (is(table, PgTable) ? [table] : []));
    const named = [...tables.map(getTableName), ...withoutDrizzle];
    const rows = [...text.matchAll(/^\| `([a-z_]+)`/gm)].map(([, table]) => table);
    expect(rows.sort()).toEqual([...new Set(named)].sort());
    const settings = Object.keys(SETTINGS).filter((name) => name.endsWith('_KEPT_DAYS'));
    expect(settings.filter((name) => !text.includes(name))).toEqual([]);
  });
});

describe('docs/operations.md', () => {
  it('docs/operations.md names only metrics and settings that exist', () => {
    const text = (texts.get(join('docs', 'operations.md')) ?? '').replaceAll(/\]\([^)]*\)/g, ']');
    const monitoring = texts.get(join('docs', 'monitoring.md')) ?? '';
    const metrics = text.match(/\b(keyward|process|nodejs)_[a-z0-9_]+/g) ?? [];
    const known = (name: string) => monitoring.includes(`| \`${name}\` |`);
    expect(metrics.length).toBeGreaterThan(10);
    expect(metrics.filter((name) => !known(name))).toEqual([]);
    const settings = text.match(/\bKEYWARD_[A-Z0-9_]+/g) ?? [];
    expect(settings.filter((name) => !Object.hasOwn(SETTINGS, name))).toEqual([]);
  });
});

describe('docs/features.md', () => {
  it('docs/features.md has a row for every call of the API, and each names a test of that call', async () => {
    const document = JSON.parse(JSON.stringify(await openapiDocument()));
    const calls = Object.entries<Record<string, { operationId: string }>>(document.paths).flatMap(
      ([path, item]) =>
        Object.entries(item).map(
          ([method, { operationId }]) => `\`${method.toUpperCase()} ${path}\` | \`${operationId}\``,
        ),
    );
    const rows = (texts.get(join('docs', 'features.md')) ?? '').split('\n');
    const missing = calls.filter((call) => !rows.some((row) => isShown(row, call)));
    expect(missing).toEqual([]);
  });
});

/** Whether a row describes this call and names a test of the started program. */
function isShown(row: string, call: string): boolean {
  if (!row.startsWith(`| ${call} |`)) return false;
  return testsNamedIn(row).some(([file]) => file.startsWith('acceptance/'));
}
