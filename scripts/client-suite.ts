import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startFuzzTarget } from '../test/fuzz/program.ts';

const CLIENTS = fileURLToPath(new URL('../clients/', import.meta.url));

/** Runs commands in a client's folder, against a started Keyward whose root key they get. */
export async function runClientSuite(client: string, commands: string[][]): Promise<void> {
  const { url, rootKey, stop } = await startFuzzTarget();
  const env = { ...process.env, KEYWARD_URL: url, KEYWARD_MANAGEMENT_KEY: rootKey };
  try {
    for (const [program = '', ...args] of commands) {
      process.stdout.write(`== ${[program, ...args].join(' ')}\n`);
      const child = spawn(program, args, { cwd: join(CLIENTS, client), env, stdio: 'inherit' });
      const [code] = await once(child, 'close');
      if (code !== 0) process.exitCode = 1;
    }
  } finally {
    await stop();
  }
}

/** Where a program is on the PATH, or null. */
export function find(name: string): string | null {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
