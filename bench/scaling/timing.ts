import { median } from '../harness/statistics.ts';

/** Runs the tasks in turn, many times, and returns the median milliseconds of each. */
export async function medians(rounds: number, tasks: readonly Task[]): Promise<number[]> {
  const times = tasks.map((): number[] => []);
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const [index, task] of tasks.entries()) {
      const started = performance.now();
      await task(round + WARM_UP);
      if (round >= 0) times[index]?.push(performance.now() - started);
    }
  }
  return times.map(median);
}

/** What is timed; it receives the number of its previous runs. */
export type Task = (run: number) => Promise<unknown>;

const WARM_UP = 3;
