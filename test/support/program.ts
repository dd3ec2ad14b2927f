import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const QUICK_IMPORTS = ['--import', new URL('./preload/quick-imports.ts', import.meta.url).href];
const STARTED = /Server listening at (http:[^\s"]+)/;

type Settings = Record<string, string>;

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A started Keyward, as its operator sees it. */
export interface Program {
  child: ChildProcess;
  pid: number;
  /** Everything printed so far. */
  stdout: () => string;
  stderr: () => string;
  ended: Promise<Ended>;
  /** Sends a signal and waits until the process has ended. */
  end: (signal: NodeJS.Signals) => Promise<Ended>;
}

interface RunningProgram extends Program {
  url: string;
}

export interface LaunchOptions {
  args?: string[];
  /** A program, with its arguments, that runs Node. */
  prefix?: string[];
  /** Runs the program by itself, with its own arguments. */
  command?: string[];
  uid?: number;
  /** Receives the function that kills the program; by default it runs when the test ends. */
  onCleanup?: (end: () => Promise<void>) => void;
}

/** Starts the real program with these settings only; it is killed when the test ends. */
export function launchProgram(
  settings: Settings,
  { args = [], prefix = [], command, uid, onCleanup = onTestFinished }: LaunchOptions = {},
): Program {
  const [program = '', ...words] = command ?? [
    ...prefix,
    process.execPath,
    ...QUICK_IMPORTS,
    MAIN,
    ...args,
  ];
  const child = spawn(program, words, {
    cwd: '/',
    env: { PATH: process.env.PATH, ...DEFAULTS, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const ended = once(child, 'close').then(([code, signal]): Ended => ({ code, signal }));
  const launched: Program = {
    child,
    pid: child.pid ?? 0,
    stdout: collect(child.stdout),
    stderr: collect(child.stderr),
    ended,
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
  onCleanup(() => killWithDatabase(launched, settings.KEYWARD_DATA_DIR));
  return launched;
}

/** Settings with which the program first loads a file of test/support/preload. */
export function preload(name: string): Settings {
  const file = new URL(`./preload/${name}.ts`, import.meta.url);
  return { NODE_OPTIONS: `--import=${file.href}` };
}

/** Starts the program and waits until it listens. */
export async function startProgram(settings: Settings, launch: LaunchOptions = {}) {
  return waitUntilStarted(launchProgram(settings, launch));
}

export async function waitUntilStarted(program: Program): Promise<RunningProgram> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const observe = () => {
    const url = STARTED.exec(program.stdout())?.[1];
    if (url) resolve(url);
  };
  observe();
  program.child.stdout?.on('data', observe);
  program.ended.then((end) =>
    reject(new Error(`ended (${end.code ?? end.signal}) at start: ${program.stderr()}`)),
  );
  return { ...program, url: await promise };
}

/** Runs the program until it ends, for starts that are expected to fail. */
export async function runProgram(settings: Settings, launch: LaunchOptions = {}) {
  const program = launchProgram(settings, launch);
  const { code } = await program.ended;
  return { code, stdout: program.stdout(), stderr: program.stderr() };
}

/** The server process of an embedded database, from the lock file of Postgres. */
export async function postgresPid(dataDirectory: string): Promise<number | undefined> {
  const lock = join(dataDirectory, 'postgres', 'data', 'postmaster.pid');
  const [line] = (await readFile(lock, 'utf8').catch(() => '')).split('\n');
  return line ? Number(line) : undefined;
}

export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A free port of loopback, argon2 at its lowest cost, no secret by default, and modules that are compiled once. */
const DEFAULTS: Settings = {
  NODE_COMPILE_CACHE: join(tmpdir(), 'keyward-test-compile-cache'),
  PORT: '0',
  LOG_LEVEL: 'info',
  KEYWARD_ALLOW_NO_SECRET: 'on',
  KEYWARD_ARGON2_MEMORY_KIB: '8192',
  KEYWARD_ARGON2_ITERATIONS: '1',
};

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

async function killWithDatabase(
  program: Program,
  dataDirectory: string | undefined,
): Promise<void> {
  await program.end('SIGKILL');
  if (dataDirectory === undefined) return;
  const postgres = await postgresPid(dataDirectory);
  // A killed Keyward leaves its database running.
  if (postgres !== undefined && isRunning(postgres)) process.kill(postgres, 'SIGQUIT');
}
