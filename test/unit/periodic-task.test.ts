import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { PeriodicTask } from '../../src/lib/periodic-task.ts';

const INTERVAL_MS = 1000;

beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => vi.useRealTimers());

/** A task whose runs end when the test says so. */
function gated() {
  const runs: { stopping: AbortSignal; gate: PromiseWithResolvers<void> }[] = [];
  const task = new PeriodicTask((stopping) => {
    const gate = Promise.withResolvers<void>();
    runs.push({ stopping, gate });
    return gate.promise;
  }, INTERVAL_MS);
  task.start();
  onTestFinished(() => task.stop());
  return { task, runs };
}

const aMoment = () => new Promise((resolve) => setImmediate(resolve));

it('a periodic task does not run at its start, but after each interval', async () => {
  const { runs } = gated();
  vi.advanceTimersByTime(INTERVAL_MS - 1);
  expect(runs).toHaveLength(0);
  vi.advanceTimersByTime(1);
  expect(runs).toHaveLength(1);
  runs[0]?.gate.resolve();
  await aMoment();
  vi.advanceTimersByTime(INTERVAL_MS);
  expect(runs).toHaveLength(2);
});

it('a periodic task never runs twice at once: intervals that end during a run are skipped', async () => {
  const { runs } = gated();
  vi.advanceTimersByTime(5 * INTERVAL_MS);
  expect(runs).toHaveLength(1);
  runs[0]?.gate.resolve();
  await aMoment();
  expect(runs).toHaveLength(1);
  vi.advanceTimersByTime(INTERVAL_MS);
  expect(runs).toHaveLength(2);
});

it('a periodic task that is stopped tells the run in progress, and begins no other', async () => {
  const { task, runs } = gated();
  vi.advanceTimersByTime(INTERVAL_MS);
  expect(runs[0]?.stopping.aborted).toBe(false);
  task.stop();
  expect(runs[0]?.stopping.aborted).toBe(true);
  runs[0]?.gate.resolve();
  await aMoment();
  vi.advanceTimersByTime(5 * INTERVAL_MS);
  expect(runs).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});
