import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { freePort, postgresPid } from '../support/program.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const UP_WITHIN = { timeout: 60_000, interval: 100 };

describe('the quick start of the README', { timeout: 120_000 }, () => {
  it('the quick start of the README works as written, line by line', async () => {
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const [install, start, ...others] = commandsOf(readme, 'service').trim().split('\n');
    expect([install, start, others]).toEqual(['npm ci', 'npm start', []]);

    const folder = await checkout();
    const port = await freePort();
    await runInBackground('npm start', folder, port);
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

/** The files of a clone that the service needs, with `npm ci` done. */
async function checkout(): Promise<string> {
  const folder = await temporaryFolder('keyward-readme-');
  for (const name of ['package.json', 'src', 'migrations']) {
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Runs a line as in a terminal until the service is ready; ended by Ctrl-C after the test. */
async function runInBackground(line: string, cwd: string, port: number): Promise<void> {
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, PORT: String(port) };
  const terminal = spawn('bash', ['-c', line], { cwd, env, detached: true, stdio: 'ignore' });
  const ended = once(terminal, 'exit');
  onTestFinished(async () => {
    if (terminal.pid !== undefined && terminal.exitCode === null)
      process.kill(-terminal.pid, 'SIGINT');
    await ended;
    const data = join(cwd, '.keyward');
    await vi.waitFor(() => expect(postgresPid(data)).resolves.toBeUndefined(), UP_WITHIN);
  });
  await vi.waitFor(() => expect(isUp(port)).resolves.toBe(true), UP_WITHIN);
}

function isUp(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
}
