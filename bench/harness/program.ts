import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const NOOP = fileURLToPath(new URL('noop.ts', import.meta.url));
const LISTENS = /(?:listens on|listening at) (http:[^\s"]+)/;
const CLOCK_TICKS_PER_SECOND = 100;

/** A server in a process of its own. */
export interface Server {
  url: string;
  pid: number;
  /** Seconds of processor time so far. */
  cpuSeconds: () => number;
  /** Bytes of resident memory. */
  memory: () => number;
  stop: () => Promise<void>;
}

/** Starts the real program with these settings. */
export function startKeyward(
  settings: Record<string, string>,
  nodeOptions: string[] = [],
): Promise<Server> {
  return start([...nodeOptions, MAIN], { PORT: '0', LOG_LEVEL: 'info', ...settings });
}

/** Starts the baseline: a Fastify route with the same request, that answers this text. */
export function startNoop(answer: string): Promise<Server> {
  return start([NOOP], { ANSWER: answer });
}

/** Starts a third-party program that prints where it listens. */
export function startPeer(main: string, settings: Record<string, string>): Promise<Server> {
  return start([main], settings);
}

async function start(args: string[], settings: NodeJS.ProcessEnv): Promise<Server> {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, ...settings },
    // The log goes into a pipe that is read, as in a container.
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = child.pid ?? 0;
  return {
    url: await urlOf(child),
    pid,
    cpuSeconds: () => cpuSecondsOf(pid),
    memory: () => memoryOf(pid),
    stop: async () => {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function urlOf(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  const observe = (chunk: Buffer) => {
    text += chunk.toString();
    const url = LISTENS.exec(text)?.[1];
    if (url) resolve(url);
  };
  child.stdout?.on('data', observe);
  child.stderr?.on('data', observe);
  promise.then(() => {
    child.stdout?.off('data', observe).resume();
  });
  child.once('exit', () => reject(new Error(`ended at start:\n${text}`)));
  return promise;
}

/** User and system time; on Linux only. */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

function memoryOf(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(line) * 1024;
}
