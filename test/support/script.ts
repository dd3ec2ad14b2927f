import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { shellEnvironment } from './checkout.ts';

/** What it starts in the background ends with it. */
const HEAD = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n";

/** Runs the commands of a page in a shell that stops at the first that fails. */
export function runScript(
  commands: string,
  cwd: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)('bash', ['-euo', 'pipefail', '-c', `${HEAD}${commands}`], {
    cwd,
    env: { ...shellEnvironment(), ...settings },
    timeout: 60_000,
  });
}
