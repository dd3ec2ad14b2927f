import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = join(import.meta.dirname, '../../src');

/** What each folder of the kernel may import besides itself. Everything else is a feature. */
const KERNEL: Record<string, string[]> = {
  domain: [],
  lib: [],
  db: ['domain', 'lib'],
  secrets: ['domain', 'lib', 'db', 'http'],
  changes: ['domain', 'lib', 'db', 'secrets', 'http'],
  http: ['domain', 'lib', 'db'],
};

/** The files that put features together. */
const COMPOSITION = ['app.ts', 'service.ts', 'start.ts', 'cli.ts'];
/** Settings as a type: what is read from the environment is handed down, never looked up. */
const CONFIG = 'config.ts';

interface Import {
  from: string;
  to: string;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.replaceAll('\\', '/'))
  .sort();
const texts = new Map(files.map((file) => [file, readFileSync(join(SRC, file), 'utf8')]));
const imports = files.flatMap(importsOf);

/** Relative imports, static and dynamic, of types too; paths are relative to src. */
function importsOf(from: string): Import[] {
  const found = texts.get(from)?.matchAll(/(?:from|import|import\()\s*'(\.[^']+)'/g) ?? [];
  return [...found].map(([, path = '']) => ({
    from,
    to: posix.normalize(posix.join(dirname(from), path)),
  }));
}

/** The top folder, or the file itself where it stands in src. */
function partOf(file: string): string {
  return file.split('/')[0] ?? file;
}

const isRootFile = (file: string) => !file.includes('/');
const isKernel = (part: string) => Object.hasOwn(KERNEL, part);
const isFeature = (file: string) => !isRootFile(file) && !isKernel(partOf(file));
const shown = ({ from, to }: Import) => `${from} imports ${to}`;

describe('the arrows of the code', () => {
  it('are read from real imports of files that exist', () => {
    expect(files.length).toBeGreaterThan(40);
    expect(imports.length).toBeGreaterThan(100);
    expect(imports.filter(({ to }) => !texts.has(to) && !to.startsWith('..')).map(shown)).toEqual(
      [],
    );
  });

  it.each(Object.entries(KERNEL))('%s imports of the kernel only %j', (folder, allowed) => {
    const wrong = imports.filter(
      ({ from, to }) =>
        partOf(from) === folder && !isRootFile(to) && ![folder, ...allowed].includes(partOf(to)),
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it('a feature imports itself and the kernel, never another feature', () => {
    const wrong = imports.filter(
      ({ from, to }) => isFeature(from) && isFeature(to) && partOf(from) !== partOf(to),
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it('only the files that put the service together import features', () => {
    const wrong = imports.filter(
      ({ from, to }) => isFeature(to) && !isFeature(from) && !COMPOSITION.includes(from),
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it('no folder imports files at the top, but for the type of the settings', () => {
    const types = (file: string) =>
      /import type \{[^}]*\} from '[^']*config\.ts'/.test(texts.get(file) ?? '');
    const wrong = imports.filter(
      ({ from, to }) =>
        !isRootFile(from) &&
        isRootFile(to) &&
        !(partOf(from) === 'db' && to === CONFIG && types(from)),
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it('do not run in circles between folders', () => {
    const arrows = Map.groupBy(
      imports.filter(({ from, to }) => partOf(from) !== partOf(to)),
      ({ from }) => partOf(from),
    );
    const next = (part: string) => new Set(arrows.get(part)?.map(({ to }) => partOf(to)));
    expect([...arrows.keys()].flatMap((part) => circleFrom(part, next))).toEqual([]);
  });

  it('leave src nowhere but for its own package', () => {
    const outside = imports.filter(({ to }) => to.startsWith('..'));
    expect(outside.map(shown)).toEqual([]);
  });
});

/** The first way from a part back to itself, as words; empty where there is none. */
function circleFrom(start: string, next: (part: string) => Set<string>): string[] {
  const ways = [[start]];
  const seen = new Set<string>();
  for (let way = ways.shift(); way; way = ways.shift()) {
    for (const part of next(way.at(-1) ?? start)) {
      if (part === start) return [[...way, start].join(' → ')];
      if (seen.has(part)) continue;
      seen.add(part);
      ways.push([...way, part]);
    }
  }
  return [];
}

/** A file without its comments; those that speak to the compiler stay. */
function codeOf(file: string): string {
  const text = texts.get(file) ?? '';
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/(?!\s*@ts-).*$/gm, '');
}

describe('the files of the code', () => {
  it('have names that say what they hold', () => {
    const vague = /^(utils?|helpers?|index|common|misc|shared|types|constants)\.ts$/;
    expect(files.filter((file) => vague.test(basename(file)))).toEqual([]);
  });

  it('read settings from the environment in main.ts alone', () => {
    // The embedded Postgres hands PATH and the like on to the programs that it starts.
    const readers = files.filter((file) => /process\s*(\.|\[\s*')env/.test(texts.get(file) ?? ''));
    expect(readers.filter((file) => !file.startsWith('db/embedded/'))).toEqual(['main.ts']);
  });

  it('are loaded without doing anything: only main.ts acts when it is imported', () => {
    const acting = files.filter((file) => /^await /m.test(texts.get(file) ?? ''));
    expect(acting).toEqual([]);
    expect(texts.get('main.ts')).toContain('await runCommand');
  });

  it('silence the compiler nowhere', () => {
    const silencing =
      /@ts-(?:ignore|expect-error|nocheck)|\bas any\b|\bas unknown as\b|[:<|] ?any\b/;
    expect(files.filter((file) => silencing.test(codeOf(file)))).toEqual([]);
  });
});
