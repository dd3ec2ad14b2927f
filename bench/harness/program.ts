import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const NOOP = fileURLToPath(new URL('noop.ts', import.meta.url));
const LISTENS = /(?:listens on|listening at) (http:[^\s"]+)/;
const NANOSECONDS = 1e9;

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

const running = new Set<ChildProcess>();
let isStopping = false;

/** Stops every server, also one that is starting. None can be started afterwards. */
export async function stopServers(): Promise<void> {
  isStopping = true;
  await Promise.all([...running].map(end));
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
  if (isStopping) throw new Error('the benchmark is being stopped');
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, ...settings },
    // The log goes into a pipe that is read, as in a container.
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const pid = child.pid ?? 0;
  return {
    url: await urlOf(child),
    pid,
    cpuSeconds: () => cpuSecondsOf(pid),
    memory: () => memoryOf(pid),
    stop: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

function urlOf(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  const observe = (chunk: Buffer) => {
    text += chunk.toString();
    const url = LISTENS.exec(text)?.[1];
    if (url === undefined) return;
    child.stdout?.off('data', observe).resume();
    resolve(url);
  };
  child.stdout?.on('data', observe);
  child.stderr?.on('data', observe);
  child.once('exit', () => reject(new Error(`ended at start:\n${text}`)));
  return promise;
}

/** Of all threads, to the nanosecond; on Linux only. */
export function cpuSecondsOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) => {
    const [onCpu] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return Number(onCpu);
  });
  return nanoseconds.reduce((sum, own) => sum + own, 0) / NANOSECONDS;
}

function memoryOf(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(line) * 1024;
}
