import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Server {
  url: string;
  stop: () => Promise<void>;
}

export interface KeywardServer extends Server {
  authorization: string;
}

/** The real program with a database of its own, in a folder that goes when it stops. */
export async function startKeyward(nodeOptions: string[]): Promise<KeywardServer> {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-bench-'));
  const env = { PORT: '0', LOG_LEVEL: 'warn', KEYWARD_DATA_DIR: folder };
  const { url, stop } = await startScript([...nodeOptions, script('../src/main.ts')], env);
  const rootKey = await readFile(join(folder, 'root-key'), 'utf8');
  return {
    url,
    authorization: `Bearer ${rootKey}`,
    stop: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function startBaseline(answer: string): Promise<Server> {
  return startScript([script('baseline.ts'), answer], {});
}

async function startScript(args: string[], settings: Record<string, string>): Promise<Server> {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, ...settings },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  return {
    url: await listeningUrl(child),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function listeningUrl({ stderr }: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of stderr ?? []) {
    text += chunk;
    const url = /listens on (http:\S+)/.exec(text)?.[1];
    if (url) return url;
  }
  throw new Error(`a server did not start: ${text}`);
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
