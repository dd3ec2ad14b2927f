import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, vi } from 'vitest';
import { fillDataFolder } from './data-folder.ts';
import { temporaryFolder } from './folder.ts';
import { freePort } from './free-port.ts';
import { isRunning, postgresPid } from './program.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const WITHIN = { timeout: 60_000, interval: 100 };
const FILES = ['package.json', '.npmrc', 'bin', 'src', 'migrations'];

/** The files of a clone that the program needs, with `npm ci` done. */
export async function checkout(): Promise<string> {
  const folder = await temporaryFolder('keyward-checkout-');
  for (const name of FILES) await cp(join(ROOT, name), join(folder, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** The environment of a new shell: nothing of npm, and the machine's own Node. */
export function shellEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '/' } = process.env;
  const folders = PATH.split(delimiter).filter((folder) => !folder.includes('node_modules'));
  return { PATH: folders.join(delimiter), HOME, npm_config_update_notifier: 'false' };
}

export interface Terminal {
  /** The shell's process, which leads its process group. */
  child: ChildProcess;
  port: number;
  /** The pid of the embedded Postgres. */
  postgres: number;
  /** Everything printed so far. */
  output: () => string;
  ended: Promise<unknown>;
}

/** Runs a line in a checkout, as a terminal does, until the service is ready. Ended by Ctrl-C. */
export async function runInTerminal(
  line: string,
  cwd: string,
  settings: Record<string, string> = {},
): Promise<Terminal> {
  await fillDataFolder(join(cwd, '.keyward'));
  const port = await freePort();
  const env = { ...shellEnvironment(), PORT: String(port), ...settings };
  const child = spawn('bash', ['-c', line], { cwd, env, detached: true });
  const ended = once(child, 'exit');
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  onTestFinished(async () => {
    interrupt(child);
    await ended;
    await databaseEnd(cwd);
  });
  await vi.waitFor(() => expect(isUp(port)).resolves.toBe(true), WITHIN);
  const postgres = (await postgresPid(join(cwd, '.keyward'))) ?? 0;
  return { child, port, postgres, output: () => output, ended };
}

/** Ctrl-C: the terminal signals the whole process group. */
export function interrupt({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGINT');
}

/** Waits until the service and its embedded database are gone. */
export async function endOf({ port, postgres }: Terminal): Promise<void> {
  await vi.waitFor(() => expect(isRunning(postgres)).toBe(false), WITHIN);
  await vi.waitFor(() => expect(isUp(port)).resolves.toBe(false), WITHIN);
}

function databaseEnd(cwd: string) {
  const pid = () => postgresPid(join(cwd, '.keyward'));
  return vi.waitFor(() => expect(pid()).resolves.toBeUndefined(), WITHIN);
}

function isUp(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
}
