import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkout } from '../support/checkout.ts';
import { blockMarked, type CodeBlock, codeBlocksOf, withPorts } from '../support/code-blocks.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/program.ts';
import { runScript } from '../support/script.ts';
import { ROOT_KEY, type SharedProgram, startSharedProgram } from '../support/shared-program.ts';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'docs/guides');
const SECRET = 'a-secret-of-the-guides-0123456789abcdef';
const pages = readdirSync(FOLDER).filter((name) => name.endsWith('.md') && name !== 'README.md');
const textOf = (page: string) => readFileSync(join(FOLDER, page), 'utf8');
const SET_UP = blockMarked(textOf('first-key.md'), 'run');

/** What a page cannot do without, and this machine may lack. */
const PROGRAMS: Readonly<Record<string, string>> = { 'gateway.md': 'caddy' };
const isThere = (name: string) => spawnSync(name, ['version']).status === 0;

let program: SharedProgram;
beforeAll(async () => {
  program = await startSharedProgram({
    KEYWARD_SECRET: SECRET,
    KEYWARD_WEBHOOK_NETWORKS: '127.0.0.0/8',
  });
  return program.end;
});

/** A clone with the root key, and the files of a page in it. */
async function cloneFor(blocks: CodeBlock[], ports: Record<string, number>): Promise<string> {
  const folder = await checkout();
  await cp(join(ROOT, 'deploy'), join(folder, 'deploy'), { recursive: true });
  await mkdir(join(folder, '.keyward'));
  await writeFile(join(folder, '.keyward/root-key'), ROOT_KEY);
  for (const { marker, code } of blocks) {
    const [, name] = /^file: (\S+)$/.exec(marker ?? '') ?? [];
    if (name) await writeFile(join(folder, name), withPorts(code, ports));
  }
  return folder;
}

async function run(page: string): Promise<string> {
  const blocks = codeBlocksOf(textOf(page));
  const ports = {
    8080: Number(new URL(program.url).port),
    8000: await freePort(),
    8081: await freePort(),
    3000: await freePort(),
  };
  const folder = await cloneFor(blocks, ports);
  const commands = blocks.filter(({ marker }) => marker === 'run').map(({ code }) => code);
  const script = [...(page === 'first-key.md' ? [] : [SET_UP]), ...commands].join('\n');
  const { stdout } = await runScript(withPorts(script, ports), folder, {
    DATABASE_URL: program.databaseUrl,
    KEYWARD_SECRET: SECRET,
    npm_config_cache: await temporaryFolder('keyward-npx-'),
  });
  return stdout;
}

/** What the page says is printed, in its order. */
function printedIn(page: string): string[] {
  const commands = codeBlocksOf(textOf(page)).filter(({ marker }) => marker === 'run');
  return commands.flatMap(({ code }) => [...code.matchAll(/^#=> (.*)$/gm)].map(([, it = '']) => it));
}

/** The output from what was found on; null if it is not there. */
function after(output: string | null, said: string): string | null {
  const at = output?.indexOf(said) ?? -1;
  return output === null || at < 0 ? null : output.slice(at + said.length);
}

describe('the guides', { timeout: 90_000 }, () => {
  it.for(pages)('docs/guides/%s works as written, and prints what it says', async (page, { skip }) => {
    const needed = PROGRAMS[page];
    skip(needed !== undefined && !isThere(needed), `${needed} is not installed`);
    const output = await run(page);
    let rest: string | null = output;
    for (const said of printedIn(page)) {
      rest = after(rest, said);
      if (rest === null) expect.fail(`“${said}” is not printed, or not in its place:\n${output}`);
    }
  });

  it('every command and program of the guides is run, or says why not', () => {
    const LANGUAGES = /^(sh|js|csv|caddyfile)$/;
    const HANDLED = /^(run|file: \S+|not run: .+)$/;
    const unmarked = pages.flatMap((page) =>
      codeBlocksOf(textOf(page))
        .filter(({ language, marker }) => LANGUAGES.test(language) && !HANDLED.test(marker ?? ''))
        .map(({ code }) => `${page}: ${code}`),
    );
    expect(unmarked).toEqual([]);
  });

  it('every guide is in the list of guides', () => {
    const list = textOf('README.md');
    expect(pages.filter((page) => !list.includes(`](${page})`))).toEqual([]);
  });
});
