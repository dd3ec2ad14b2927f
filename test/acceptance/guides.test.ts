import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { blockMarked, type CodeBlock, codeBlocksOf, withPorts } from '../support/code-blocks.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { runScript } from '../support/script.ts';
import {
  at,
  ok,
  ROOT_KEY,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';

const ROOT = join(import.meta.dirname, '../..');
const SECRET = 'a-secret-of-the-guides-0123456789abcdef';
const textOf = (page: string) => readFileSync(join(ROOT, page), 'utf8');
const pagesIn = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));

const guides = pagesIn('docs/guides').filter((page) => !page.endsWith('README.md'));
const others = pagesIn('docs').filter((page) => textOf(page).includes('\n<!-- run -->\n'));
const SET_UP = blockMarked(textOf('docs/guides/first-key.md'), 'run');

/** An open alert, which the page about alerts acknowledges. */
const ALERT = `
leaked=$(curl -sS $keyward/v1/keys -H "$root" -H "$json" -d '{"name": "leaked"}' | field key)
curl -sS $keyward/v1/leaks -H "$json" -d "{\\"keys\\": [{\\"key\\": \\"$leaked\\"}]}"
until curl -sS "$keyward/v1/alerts?state=open" -H "$root" | grep -q '"id"'; do sleep 0.2; done
`;

/** Variables that a page takes for granted. */
const GIVEN: Readonly<Record<string, string>> = {
  'docs/guides/first-key.md': '',
  'docs/alerts.md': SET_UP + ALERT,
  'docs/leaks.md': `${SET_UP}key=$(curl -sS $keyward/v1/keys -H "$root" -H "$json" -d '{"name": "a"}' | field key)`,
};

/** What a page cannot do without, and this machine may lack. */
const PROGRAMS: Readonly<Record<string, string>> = { 'docs/guides/gateway.md': 'caddy' };
const isThere = (name: string) => spawnSync(name, ['version']).status === 0;

let program: SharedProgram;
beforeAll(async () => {
  program = await startSharedProgram({
    KEYWARD_SECRET: SECRET,
    KEYWARD_WEBHOOK_NETWORKS: '127.0.0.0/8',
    KEYWARD_LEAK_REPORTS: 'on',
  });
  await ok(program.root.PUT('/v1/workspaces/{id}', { ...at('acme'), body: {} }));
  return program.end;
});

/** What the commands of the pages find in a clone. */
const CLONED = ['package.json', '.npmrc', 'bin', 'src', 'migrations', 'deploy', 'node_modules'];

/** A folder like a clone with the root key, and the files of a page in it. */
async function cloneFor(blocks: CodeBlock[], ports: Record<string, number>): Promise<string> {
  const folder = await temporaryFolder('keyward-guide-');
  for (const name of CLONED) await symlink(join(ROOT, name), join(folder, name));
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
  const script = [GIVEN[page] ?? SET_UP, ...commands].join('\n');
  const { stdout } = await runScript(withPorts(script, ports), folder, {
    DATABASE_URL: program.databaseUrl,
    KEYWARD_SECRET: SECRET,
    NODE_COMPILE_CACHE: join(tmpdir(), 'keyward-test-compile-cache'),
    npm_config_cache: await temporaryFolder('keyward-npx-'),
  });
  return stdout;
}

/** What the page says is printed, in its order. */
function printedIn(page: string): string[] {
  const commands = codeBlocksOf(textOf(page)).filter(({ marker }) => marker === 'run');
  return commands.flatMap(({ code }) =>
    [...code.matchAll(/^#=> (.*)$/gm)].map(([, it = '']) => it),
  );
}

/** The output from what was found on; null if it is not there. */
function after(output: string | null, said: string): string | null {
  const at = output?.indexOf(said) ?? -1;
  return output === null || at < 0 ? null : output.slice(at + said.length);
}

/** Codes of a mistake in what was sent. */
const MISTAKES =
  /"code":"(?:INVALID_REQUEST|MALFORMED_JSON|ROUTE_NOT_FOUND|METHOD_NOT_ALLOWED|UNAUTHENTICATED|FORBIDDEN|INTERNAL)"/g;

describe('the commands of the pages', { timeout: 90_000 }, () => {
  it.for([...guides, ...others])(
    'the commands of %s work as written, and print what it says',
    async (page, { skip }) => {
      const needed = PROGRAMS[page];
      skip(needed !== undefined && !isThere(needed), `${needed} is not installed`);
      const output = await run(page);
      const said = printedIn(page);
      let rest: string | null = output;
      for (const line of said) {
        rest = after(rest, line);
        if (rest === null) expect.fail(`“${line}” is not printed in its place:\n${output}`);
      }
      const mistakes = output.match(MISTAKES) ?? [];
      expect(mistakes.filter((code) => !said.includes(code))).toEqual([]);
    },
  );

  it('every command and program of the guides is run, or says why not', () => {
    const LANGUAGES = /^(sh|js|csv|caddyfile)$/;
    const HANDLED = /^(run|file: \S+|not run: .+)$/;
    const unmarked = guides.flatMap((page) =>
      codeBlocksOf(textOf(page))
        .filter(({ language, marker }) => LANGUAGES.test(language) && !HANDLED.test(marker ?? ''))
        .map(({ code }) => `${page}: ${code}`),
    );
    expect(unmarked).toEqual([]);
  });

  it('every guide is in the list of guides', () => {
    const list = textOf('docs/guides/README.md');
    expect(guides.filter((page) => !list.includes(`](${basename(page)})`))).toEqual([]);
  });
});
