import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Target } from '../scenario.ts';

const ATTACKER = fileURLToPath(new URL('attacker.ts', import.meta.url));
/** A service that opens no more sockets, or answers nothing, is under attack all the same. */
const UNDER_WAY_WITHIN_MS = 3000;
const STOP_WITHIN_MS = 5000;

interface AttackReport {
  tally: [name: string, count: number][];
  /** Why the attack could not be made. */
  failure: string | null;
}

export interface AttackProcess {
  /** Tells it to stop, kills it if it does not, and returns what it met. */
  stop: () => Promise<AttackReport>;
}

/**
 * Starts the attack in a process of its own, with the same priority as everything else, and waits
 * until it is under way.
 */
export async function startAttack(target: Target): Promise<AttackProcess> {
  const child = fork(ATTACKER, { execArgv: [], detached: true });
  const exit = once(child, 'exit');
  let report: AttackReport = { tally: [], failure: 'the attacker ended without a report' };
  const [ready, underWay] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  child.on('message', (message: AttackReport | 'ready' | 'under way') => {
    if (message === 'ready') ready.resolve();
    else if (message === 'under way') underWay.resolve();
    else report = message;
  });
  await Promise.race([ready.promise, exit]);
  if (child.connected) child.send({ target }, () => {});
  await Promise.race([underWay.promise, exit, delay(UNDER_WAY_WITHIN_MS)]);
  const stop = async () => {
    if (child.connected) child.send('stop', () => {});
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
    await exit;
    clearTimeout(kill);
    return report;
  };
  return { stop };
}
