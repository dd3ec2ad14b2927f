import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Target } from '../scenario.ts';

const ATTACKER = fileURLToPath(new URL('attacker.ts', import.meta.url));
const STOP_WITHIN_MS = 5000;

export interface AttackReport {
  tally: [name: string, count: number][];
  /** Why the attack could not be made. */
  failure: string | null;
}

export interface AttackProcess {
  /** Tells it to stop, kills it if it does not, and returns what it met. */
  stop: () => Promise<AttackReport>;
  /** Resolves when it has nothing more to do. */
  finished: Promise<unknown>;
}

/** Starts the attack in a process of its own, with the same priority as everything else. */
export async function startAttack(target: Target): Promise<AttackProcess> {
  const child = fork(ATTACKER, { execArgv: [], detached: true });
  const exit = once(child, 'exit');
  let report: AttackReport = { tally: [], failure: 'the attacker ended without a report' };
  const ready = once(child, 'message');
  child.on('message', (message: AttackReport | 'ready') => {
    if (message !== 'ready') report = message;
  });
  await Promise.race([ready, exit]);
  child.send({ target }, () => {});
  const stop = async () => {
    if (child.connected) child.send('stop', () => {});
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
    await exit;
    clearTimeout(kill);
    return report;
  };
  return { stop, finished: exit };
}
