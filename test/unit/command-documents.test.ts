import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { COMMANDS } from '../../src/cli.ts';
import { helpOf } from '../../src/lib/command-help.ts';

const ROOT = join(import.meta.dirname, '../..');
const textOf = (name: string) => readFileSync(join(ROOT, name), 'utf8');

const documents = ['README.md', 'CONTRIBUTING.md', ...markdownIn('docs'), ...markdownIn('deploy')];
const NAMES = [...COMMANDS.map(({ name }) => name), 'help', '--version', 'COMMAND'];

function markdownIn(folder: string): string[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.md')).map((name) => join(folder, name));
}

/** The lines of the shell blocks of a document, with continued lines joined. */
function shellLinesOf(text: string): string[] {
  return [...text.matchAll(/```(?:sh|bash|console)\n(.*?)```/gs)].flatMap(([, block = '']) =>
    block.replaceAll(/\\\n\s*/g, '').split('\n'),
  );
}

/** A line that calls the program, by any spelling. */
const CALL =
  /(?:^|[\s/])keyward(?:\.js)? (?:[a-z-]+|COMMAND)(?=\s|$)|src\/main\.ts|npm run keyward/;
/** Ours: in a clone, in a container, in a cluster, and under systemd. */
const SPELLINGS =
  /(?:^|\s)(?:npx keyward|docker (?:run|compose (?:exec|run)) .*keyward|kubectl .*exec .* -- keyward|\/opt\/keyward\/bin\/keyward\.js) /;
const NOT_OURS = /systemctl|useradd|^\s*helm |kubectl .*(?:create|rollout) /;

describe('what the documents say about commands', () => {
  it('docs/commands.md has the help of every command, as the program prints it, and no other', () => {
    const page = textOf('docs/commands.md');
    const sections = [...page.matchAll(/^## keyward ([^\n]+)\n\n```text\n(.*?)```$/gms)];
    expect(sections.map(([, name, help]) => [name, help])).toEqual(
      COMMANDS.map((command) => [command.name, helpOf(command)]),
    );
  });

  it.each(documents)(
    '%s calls the program as docs/commands.md says, and in no other way',
    (name) => {
      const calls = shellLinesOf(textOf(name)).filter((line) => CALL.test(line));
      expect(calls.filter((line) => !SPELLINGS.test(line) && !NOT_OURS.test(line))).toEqual([]);
      expect(textOf(name)).not.toMatch(/npm run keyward|node src\/main\.ts/);
    },
  );

  it.each(documents)('%s names commands that exist', (name) => {
    const named = [...textOf(name).matchAll(/`(?:npx )?keyward ([^`]+)`/g)];
    const unknown = named
      .map(([, line = '']) => line)
      .filter((line) => !NAMES.some((known) => `${line} `.startsWith(`${known} `)));
    expect(unknown).toEqual([]);
  });

  it('a page whose commands make management keys or import says what to do with the embedded database', () => {
    const clients = ['python', 'go'].map((name) => `clients/${name}/README.md`);
    const ofProduction = ['docs/guides/production.md'];
    const silent = [...documents, ...clients].filter((name) => {
      const text = textOf(name);
      return /npx keyward (management-key|import)/.test(text) && !/embedded\s+database/.test(text);
    });
    expect(silent).toEqual(ofProduction);
  });

  it('CONTRIBUTING.md has every script of package.json in a table', () => {
    const cells = [...textOf('CONTRIBUTING.md').matchAll(/^\| (`.*?`) \|/gm)].map(
      ([, cell]) => cell,
    );
    const named = cells.flatMap((cell = '') =>
      [...cell.matchAll(/`(?:npm (?:run )?)?([\w:-]+)[^`]*`/g)].map(([, name]) => name),
    );
    expect(Object.keys(manifest.scripts).filter((name) => !named.includes(name))).toEqual([]);
  });

  it('docs/features.md has a row for every command', () => {
    const page = textOf('docs/features.md');
    const missing = COMMANDS.filter(({ name }) => !page.includes(`\n| \`keyward ${name}\` |`));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  it('README, CONTRIBUTING, docs/commands.md, CI and package.json require the same Node', () => {
    expect(manifest.engines.node).toBe('>=20');
    for (const name of ['README.md', 'CONTRIBUTING.md', 'docs/commands.md', '.ci/run']) {
      expect(textOf(name)).toMatch(/Node(?:\.js)? 20 or newer with npm/);
    }
    for (const name of ['bin/keyward.js', 'docs/commands.md', 'docs/adr/0009-no-build-step.md']) {
      expect(textOf(name)).toContain('22.18');
    }
  });

  it('the Node that Keyward runs on is installed with the running program, not for development alone', () => {
    expect(Object.keys(manifest.optionalDependencies)).toContain('node');
    expect(Object.keys(manifest.scripts)).not.toContain('keyward');
    expect(manifest.bin.keyward).toBe('bin/keyward.js');
  });
});
