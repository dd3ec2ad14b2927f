import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const START_ATTEMPTS = 250;
const GAP_MS = 20;

/** Waits until a program listens on a port of loopback; kills one that does not, and says what it printed. */
export async function untilListening(child: ChildProcess, port: number): Promise<void> {
  let printed = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    printed = (printed + text).slice(-4000);
  });
  for (let attempt = 0; attempt < START_ATTEMPTS && isUp(child); attempt++) {
    if (await isListening(port)) return;
    await delay(GAP_MS);
  }
  child.kill('SIGKILL');
  throw new Error(`${child.spawnfile} did not start: ${printed}`);
}

const isUp = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const listens = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return listens;
}
