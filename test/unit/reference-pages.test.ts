import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { VERDICT_ADVICE } from '../../openapi/advice.ts';
import { openapiDocument } from '../../openapi/document.ts';
import { referenceTables } from '../../openapi/reference-pages.ts';
import { SETTINGS } from '../../src/config.ts';
import { VERDICT_CODES } from '../../src/domain/verdict.ts';
import { ERRORS } from '../../src/errors.ts';

const FOLDER = join(import.meta.dirname, '../../docs/reference');
const pageOf = (name: string) => readFileSync(join(FOLDER, `${name}.md`), 'utf8');
/** What the first column of a page's table names. */
const namesIn = (page: string) => [...page.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);

describe('the reference', () => {
  let document: { paths: Record<string, Record<string, { description?: string }>> };
  beforeAll(async () => {
    document = JSON.parse(JSON.stringify(await openapiDocument()));
  });

  it('the pages of docs/reference have what the code has, word for word', () => {
    for (const [name, made] of Object.entries(referenceTables(document))) {
      expect(pageOf(name).endsWith(made), `${name}.md: run \`npm run openapi\``).toBe(true);
    }
  });

  it('docs/reference has every setting, error code, verdict and call, and no other', () => {
    expect(namesIn(pageOf('settings'))).toEqual(Object.keys(SETTINGS));
    expect(namesIn(pageOf('errors')).toSorted()).toEqual(Object.keys(ERRORS).toSorted());
    expect(namesIn(pageOf('verdicts'))).toEqual([...VERDICT_CODES]);
    const calls = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(namesIn(pageOf('calls'))).toEqual(calls);
  });

  it('docs/reference/verdicts.md has the status by which a gateway is told of each verdict', () => {
    const description = document.paths['/v1/authorize']?.get?.description ?? '';
    for (const code of VERDICT_CODES) {
      const { status } = VERDICT_ADVICE[code];
      expect(description).toMatch(new RegExp(`${status}:[A-Z_,\\s]*\\b${code}\\b`));
    }
  });
});
