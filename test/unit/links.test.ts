import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
/** Not of the project, or made by a run of it. */
const PASSED_OVER = /^(\.(?!github$).*|node_modules|venv|results|generated|out|dist)$/;

function pagesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return PASSED_OVER.test(entry.name) ? [] : pagesIn(path);
    return entry.name.endsWith('.md') ? [relative(ROOT, path)] : [];
  });
}

const pages = pagesIn(ROOT);
const textOf = (page: string) =>
  readFileSync(join(ROOT, page), 'utf8').replaceAll(/^ *(```|~~~).*?^ *\1$/gms, '');

/** The ids that GitHub gives the headings of a page. */
function anchorsOf(page: string): Set<string> {
  const times = new Map<string, number>();
  const ids = [...textOf(page).matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading = '']) => {
    const id = slug(heading);
    const before = times.get(id) ?? 0;
    times.set(id, before + 1);
    return before === 0 ? id : `${id}-${before}`;
  });
  const named = [...textOf(page).matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id = '']) => id);
  return new Set([...ids, ...named]);
}

function slug(heading: string): string {
  const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
  return text.replaceAll(/[^\p{L}\p{N}_\- ]/gu, '').replaceAll(' ', '-');
}

/** Links and pictures with a target in this repository. */
function targetsIn(page: string): string[] {
  const text = textOf(page).replaceAll(/`[^`\n]*`/g, 'code');
  const links = [...text.matchAll(/\]\(<?([^()\s>]+)>?(?: "[^"]*")?\)/g)];
  const pictures = [...text.matchAll(/<(?:img|source|a)[^>]+(?:src|srcset|href)="([^"]+)"/g)];
  const targets = [...links, ...pictures].map(([, target = '']) => target);
  return targets.filter((target) => !/^[a-z]+:/i.test(target));
}

function leads(page: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : join(dirname(page), decodeURIComponent(path));
  if (path.startsWith('/') || !existsSync(join(ROOT, file))) return false;
  return anchor === undefined || (file.endsWith('.md') && anchorsOf(file).has(anchor));
}

describe('links between pages', () => {
  it.each(pages)(
    'every relative link of %s leads to a file, and to a heading if it names one',
    (page) => {
      expect(targetsIn(page).filter((target) => !leads(page, target))).toEqual([]);
    },
  );

  it('the check of links finds links to headings with code, links and the same text in them', () => {
    expect(slug('Many: `keyward import`')).toBe('many-keyward-import');
    expect(slug('[Events](events.md), by type')).toBe('events-by-type');
    expect(leads('README.md', 'docs/import.md#many-keyward-import')).toBe(true);
    expect(leads('README.md', 'docs/import.md#nothing')).toBe(false);
    expect(leads('docs/import.md', '../nothing.md')).toBe(false);
  });
});
