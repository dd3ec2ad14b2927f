import { setImmediate } from 'node:timers/promises';
import type { Instance } from './instance.ts';

/**
 * One metric as Prometheus reads it: `keyward_fences_total`, `keyward_bound_used{bound="proofs"}`.
 */
export async function metric(instance: Instance, name: string): Promise<number> {
  const value = (await metrics(instance)).get(name);
  if (value === undefined) throw new Error(`there is no metric ${name}`);
  return value;
}

/** Every metric of an instance by its name and labels. */
export async function metrics(instance: Instance): Promise<Map<string, number>> {
  const { status, text } = await instance.call('GET', '/metrics');
  if (status !== 200) throw new Error(`no metrics: ${status}`);
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const [name = '', value] = line.split(' ');
      return [name, Number(value)];
    }),
  );
}

const USED = /^keyward_bound_used\{bound="(\w+)"\} (\d+)$/gm;

/** How much of each bound is used, as `/metrics` says it. */
export async function usedBounds(instance: Instance): Promise<Map<string, number>> {
  const { text } = await instance.call('GET', '/metrics');
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
