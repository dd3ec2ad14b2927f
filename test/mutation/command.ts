import { spawn } from 'node:child_process';

/** Whether a program of `node_modules/.bin` ends well. Nobody is told what it prints. */
export function succeeds(
  [program = '', ...words]: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<boolean> {
  const options = { cwd, env: { ...process.env, ...env }, stdio: 'ignore' } as const;
  const child = spawn(program, words, options);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0));
  });
}
