import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { openapiDocument } from '../../openapi/document.ts';
import { SETTINGS } from '../../src/config.ts';

const README = await readFile(new URL('../../README.md', import.meta.url), 'utf8');

describe('the README', () => {
  it('the README lists every setting with its default and its meaning', () => {
    const rows = Object.entries(SETTINGS).map(
      ([name, { default: value, desc }]) => `| \`${name}\` | ${shown(value)} | ${desc} |`,
    );
    expect(tableAfter('| variable |')).toEqual(rows);
  });

  it('the README lists every call, and no call that does not exist', async () => {
    const document = JSON.parse(JSON.stringify(await openapiDocument()));
    const rows = Object.entries<Record<string, { summary: string }>>(document.paths).flatMap(
      ([path, item]) =>
        Object.entries(item).map(
          ([method, { summary }]) => `| \`${method.toUpperCase()} ${path}\` | ${summary} |`,
        ),
    );
    expect(tableAfter('| call |')).toEqual(rows);
  });
});

function shown(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'boolean' ? (value ? '`on`' : '`off`') : `\`${value}\``;
}

/** The rows of a table without its header. */
function tableAfter(head: string): string[] {
  const [, after = ''] = README.split(`\n${head}`);
  const [table = ''] = after.split('\n\n');
  return table.split('\n').slice(2);
}
