import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from './errors.ts';
import { type Runner, run } from './unprivileged.ts';

type StopSignal = 'SIGINT' | 'SIGQUIT' | 'SIGKILL';

/** A fast shutdown with a checkpoint, an immediate one that needs recovery, and a kill. */
const STOP_STEPS: readonly { signal: StopSignal; deadlineMs: number }[] = [
  { signal: 'SIGINT', deadlineMs: 10_000 },
  { signal: 'SIGQUIT', deadlineMs: 5_000 },
  { signal: 'SIGKILL', deadlineMs: 5_000 },
];

interface StopTarget {
  pid: number;
  pgCtl: string;
  runner: Runner;
  /** False if the pid could belong to another program. */
  mayKill: boolean;
  hasEnded(): boolean | Promise<boolean>;
}

/** Returns whether the server has ended. */
export async function stopServer(target: StopTarget): Promise<boolean> {
  for (const step of STOP_STEPS) {
    if (await target.hasEnded()) return true;
    if (step.signal === 'SIGKILL' && !target.mayKill) return false;
    await send(target, step.signal);
    if (await endsWithin(target, step.deadlineMs)) return true;
  }
  return false;
}

async function send(target: StopTarget, signal: StopSignal): Promise<void> {
  // On Windows, process.kill ends a process at once with any signal.
  if (process.platform === 'win32' && signal !== 'SIGKILL') {
    const name = signal.replace('SIG', '');
    await run(target.runner, target.pgCtl, ['kill', name, String(target.pid)], '.');
    return;
  }
  try {
    process.kill(target.pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

async function endsWithin(target: StopTarget, deadlineMs: number): Promise<boolean> {
  const deadline = performance.now() + deadlineMs;
  while (performance.now() < deadline) {
    if (await target.hasEnded()) return true;
    await delay(5);
  }
  return false;
}
