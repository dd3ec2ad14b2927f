import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { errorCode } from './errors.ts';

const runFile = promisify(execFile);

/**
 * Distinguishes a running process from a later one with the same pid, by when it started.
 * Undefined if no such process runs.
 */
export async function processToken(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') return linuxToken(pid);
  if (!acceptsSignals(pid)) return undefined;
  return process.platform === 'win32' ? 'running' : psToken(pid);
}

/** Whether this process is a Postgres server on the data directory (an absolute, resolved path). */
export async function servesData(pid: number, data: string): Promise<boolean> {
  if (process.platform === 'linux') return linuxServesData(pid, data);
  // Windows has no cheap way to tell; there only a Postgres process takes the signals sent to it.
  if (process.platform === 'win32') return acceptsSignals(pid);
  return (await ps(pid, 'command')).includes(`-D ${data}`);
}

async function linuxToken(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The second field, the program's name, may contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  // A zombie has ended, but its parent has not collected it.
  if (startTicks === undefined || state === 'Z' || state === 'X') return undefined;
  return `${await bootId()}-${startTicks}`;
}

/** Start times are relative to the boot. */
async function bootId(): Promise<string> {
  const id = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'boot');
  return id.slice(0, 8).trim();
}

async function linuxServesData(pid: number, data: string): Promise<boolean> {
  try {
    // A Postgres server works inside its data directory; this also survives a renamed folder.
    return (await readlink(`/proc/${pid}/cwd`)) === data;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    // The arguments of another account's process are readable even if its folder is not.
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return line.split('\0').includes(data);
  }
}

async function psToken(pid: number): Promise<string | undefined> {
  const started = await ps(pid, 'lstart');
  if (started === '' || (await ps(pid, 'state')).startsWith('Z')) return undefined;
  return started.replaceAll(/[^A-Za-z0-9]+/g, '-');
}

async function ps(pid: number, column: string): Promise<string> {
  const env = { ...process.env, LC_ALL: 'C' };
  const output = await runFile('ps', ['-ww', '-o', `${column}=`, '-p', String(pid)], { env }).catch(
    () => ({ stdout: '' }),
  );
  return output.stdout.trim();
}

function acceptsSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}
