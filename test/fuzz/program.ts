import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const LISTENS = /Server listening at (http:[^\s"]+)/;

/** The real program on its own database, in a folder that is removed with it. */
export interface FuzzTarget {
  url: string;
  rootKey: string;
  /** Everything printed so far. */
  output: () => string;
  /** Resolves with the exit code. */
  stop: () => Promise<number | null>;
}

/** With settings of its own beside those that reach every call. */
export async function startFuzzTarget(settings: Record<string, string> = {}): Promise<FuzzTarget> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'keyward-fuzz-'));
  const child = spawn(process.execPath, [MAIN], {
    cwd: '/',
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      LOG_LEVEL: 'trace',
      KEYWARD_DATA_DIR: folder,
      KEYWARD_ARGON2_MEMORY_KIB: '8192',
      KEYWARD_ARGON2_ITERATIONS: '1',
      KEYWARD_LEAK_REPORTS: 'on',
      // Events are sent to closed ports of this machine, and to no other.
      KEYWARD_WEBHOOK_NETWORKS: '127.0.0.1',
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  const chunks: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      chunks.push(chunk);
      const url = LISTENS.exec(chunk)?.[1];
      if (url) resolve(url);
    });
  }
  const output = () => chunks.join('');
  ended.then(() => reject(new Error(`the program ended at start:\n${output()}`)), reject);
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
    return child.exitCode;
  };
  const url = await promise.catch(async (error) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  return { url, rootKey: await readFile(join(folder, 'root-key'), 'utf8'), output, stop };
}
