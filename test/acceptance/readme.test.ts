import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { checkout, runInTerminal } from '../support/checkout.ts';

const README = new URL('../../README.md', import.meta.url);

describe('the quick start of the README', { timeout: 120_000 }, () => {
  it('the quick start of the README works as written, line by line', async () => {
    const readme = await readFile(README, 'utf8');
    const [install, start, ...others] = commandsOf(readme, 'service').trim().split('\n');
    expect([install, start, others]).toEqual(['npm ci', 'npm start', []]);

    const folder = await checkout();
    const { port } = await runInTerminal('npm start', folder);
    const calls = commandsOf(readme, 'calls').replaceAll(':8080', `:${port}`);
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', calls], {
      cwd: folder,
    });
    expect(stdout).toMatch(
      /"key":"ak_live_.*"code":"VALID".*"status":"revoked".*"code":"REVOKED"/s,
    );
  });
});

/** The fenced code block after a marker. */
function commandsOf(readme: string, name: string): string {
  const block = new RegExp(`<!-- quick start: ${name} -->\n\`\`\`sh\n(.*?)\`\`\``, 's').exec(
    readme,
  );
  if (!block?.[1]) throw new Error(`the README has no block "${name}"`);
  return block[1];
}
