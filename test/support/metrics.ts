import { setImmediate } from 'node:timers/promises';
import type { Instance } from './instance.ts';

const USED = /^keyward_bound_used\{bound="(\w+)"\} (\d+)$/gm;

/** How much of each bound is used, as `/metrics` says it. */
async function usedBounds(instance: Instance): Promise<Map<string, number>> {
  const { text } = await instance.call('GET', '/metrics', { as: null });
  return new Map([...text.matchAll(USED)].map(([, name = '', used]) => [name, Number(used)]));
}

/** The most that was used of each bound while the work went on, by looking all the time. */
export async function peaksDuring(
  instance: Instance,
  work: Promise<unknown>,
): Promise<Map<string, number>> {
  const peaks = new Map<string, number>();
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  void work.then(end, end);
  while (!isOver) {
    // A call without a socket never leaves the turn of the event loop: the work needs the next.
    await setImmediate();
    for (const [name, used] of await usedBounds(instance)) {
      peaks.set(name, Math.max(used, peaks.get(name) ?? 0));
    }
  }
  return peaks;
}
