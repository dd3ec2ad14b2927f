import { setTimeout as delay } from 'node:timers/promises';
import type { Instance } from '../history/harness/instance.ts';
import type { Network } from '../history/harness/network.ts';
import type { Recorder } from '../history/harness/recorder.ts';
import type { PostgresPair } from './postgres-pair.ts';

export interface Trial {
  pair: PostgresPair;
  instances: readonly Instance[];
  networks: readonly Network[];
  recorder: Recorder;
}

/** For how long a killed instance is missing, as if its machine had to start again. */
const ABSENT_MS = 3000;
/** What notices that the primary is gone takes its time. */
const NOTICED_MS = 1000;
/** By how much an asynchronous standby is behind. */
const BEHIND_MS = 3000;

/** What happens meanwhile, evenly spread over the time, each in a third of it. */
export async function makeEvents(trial: Trial, durationMs: number, stop: AbortSignal) {
  for (const [kind, event] of Object.entries(EVENTS)) {
    await delay(durationMs / 6);
    if (stop.aborted) return;
    const start = performance.now();
    await event(trial);
    const end = performance.now();
    const isOfDatabase = event === failOver;
    trial.recorder.add({ type: 'fault', kind, isOfDatabase, instance: 0, start, end });
    await delay(durationMs / 6);
  }
}

async function kill({ instances: [instance] }: Trial): Promise<void> {
  await instance?.end('SIGKILL');
  await delay(ABSENT_MS);
  instance?.start();
  await instance?.waitUntilReady();
}

async function restart({ instances: [, instance] }: Trial): Promise<void> {
  await instance?.end('SIGTERM');
  instance?.start();
  await instance?.waitUntilReady();
}

/** The old primary is cut off before the new one takes writes: there is never a second one. */
async function failOver({ pair, instances, networks }: Trial): Promise<void> {
  if (!pair.isSynchronous) await loseTouch(pair);
  await pair.primary.kill();
  if (!pair.isSynchronous) await pair.standby.start();
  for (const network of networks) network.redirect(pair.standby.url);
  await delay(NOTICED_MS);
  await pair.promote();
  for (const network of networks) network.restore();
  await Promise.all(instances.map((instance) => instance.waitUntilReady()));
}

async function loseTouch({ standby }: PostgresPair): Promise<void> {
  await standby.stop();
  await delay(BEHIND_MS);
}

const EVENTS = {
  'an instance is killed (-9), and started 3 s later': kill,
  'an instance is restarted (SIGTERM)': restart,
  'the primary is killed, the standby promoted 1 s later': failOver,
};
