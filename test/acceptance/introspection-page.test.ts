import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { makeKey, ok, type SharedProgram, startSharedProgram } from '../support/shared-program.ts';

const PAGE = new URL('../../docs/introspection.md', import.meta.url);
const run = promisify(execFile);

let program: SharedProgram;
let page: string;
let manager: string;
beforeAll(async () => {
  program = await startSharedProgram();
  page = await readFile(PAGE, 'utf8');
  const body = { name: 'orders-api', permissions: ['keys:verify' as const] };
  manager = (await ok(program.root.POST('/v1/management-keys', { body }))).key ?? '';
  return program.end;
});

describe('the examples of docs/introspection.md', () => {
  it('the curl line of docs/introspection.md introspects a key by HTTP Basic as written', async () => {
    const { id, key } = await makeKey(program.root, { scopes: ['orders:read'] });
    const env = { ...process.env, keyward: program.url, manager, key };
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', example('introspect')], {
      env,
    });
    expect(JSON.parse(stdout)).toMatchObject({ active: true, client_id: id, scope: 'orders:read' });
  });

  it('the code of docs/introspection.md introspects a key without a library as written', async () => {
    const { key } = await makeKey(program.root, { ownerId: 'customer_42' });
    const file = join(await temporaryFolder('keyward-introspection-'), 'example.mts');
    const lines = [
      `const [KEYWARD_URL, token] = ${JSON.stringify([program.url, key])};`,
      example('fetch'),
      'console.log(JSON.stringify([active, scope, sub]));',
    ];
    await writeFile(file, lines.join('\n'));
    const env = { ...process.env, KEYWARD_MANAGEMENT_KEY: manager };
    const { stdout } = await run(process.execPath, [file], { env });
    expect(JSON.parse(stdout)).toEqual([true, '', 'customer_42']);
  });
});

/** The fenced code block after a marker. */
function example(name: string): string {
  const block = new RegExp(`<!-- example: ${name} -->\n\`\`\`\\w+\n(.*?)\`\`\``, 's').exec(page);
  if (!block?.[1]) throw new Error(`the page has no example "${name}"`);
  return block[1];
}
