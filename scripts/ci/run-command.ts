import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long what was told to end may take. */
const GRACE_MS = 10_000;
/** How long output is awaited of what a command has left running. */
const OUTPUT_MS = 1000;

export interface Ended {
  succeeded: boolean;
  /** The time limit has ended it, or the signal. */
  cut: boolean;
  seconds: number;
}

/**
 * Runs a command in a process group of its own, of which nothing is left when this returns. What it
 * prints is kept in a file, and shown if that is wanted.
 */
export async function runCommand(
  command: string,
  options: {
    log: string;
    isShown: boolean;
    limitMs: number;
    env: NodeJS.ProcessEnv;
    signal?: AbortSignal;
  },
): Promise<Ended> {
  const started = performance.now();
  const { log, isShown, limitMs, env } = options;
  const limit = AbortSignal.any([
    AbortSignal.timeout(limitMs),
    ...(options.signal ? [options.signal] : []),
  ]);
  const child = spawn(command, {
    shell: 'bash',
    detached: true,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const file = createWriteStream(log);
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(file, { end: false });
    if (isShown) stream.pipe(process.stdout, { end: false });
  }
  const closed = once(child, 'close');
  const exited = once(child, 'exit');
  limit.addEventListener('abort', () => endGroup(child.pid, exited), { once: true });
  if (limit.aborted) endGroup(child.pid, exited);
  const [code] = await exited;
  kill(child.pid, 'SIGKILL');
  await Promise.race([closed, sleep(OUTPUT_MS, undefined, { ref: false })]);
  for (const stream of [child.stdout, child.stderr]) stream.destroy();
  file.end();
  await once(file, 'finish');
  const seconds = (performance.now() - started) / 1000;
  return { succeeded: code === 0, cut: limit.aborted, seconds };
}

async function endGroup(pid: number | undefined, exited: Promise<unknown>): Promise<void> {
  kill(pid, 'SIGTERM');
  await Promise.race([exited, sleep(GRACE_MS, undefined, { ref: false })]);
  kill(pid, 'SIGKILL');
}

/** The whole group; that it is gone is fine. */
function kill(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {}
}
