import fc from 'fast-check';
import { afterEach, expect, it, vi } from 'vitest';
import { FairQueue, type FairQueueBounds, type Ticket } from '../../src/lib/fair-queue.ts';
import { OverloadError } from '../../src/lib/overload-error.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

afterEach(() => void vi.useRealTimers());

const BOUNDS: FairQueueBounds = { places: 2, maxWaitingEach: 10, maxWaiting: 20, reason: 'argon2' };

/** A queue whose tasks are named by what they record when they start. */
function heldQueue(bounds: Partial<FairQueueBounds> = {}) {
  const queue = new FairQueue({ ...BOUNDS, ...bounds });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const run = (name: string, ticket: Partial<Ticket> = {}) =>
    queue.run({ group: name.charAt(0), ...ticket }, () => {
      begun.push(name);
      return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
    });
  const end = async (name: string) => {
    ends.get(name)?.();
    ends.delete(name);
    await settle();
  };
  const endAll = async () => {
    while (ends.size > 0) for (const name of ends.keys()) await end(name);
  };
  return { queue, begun, ends, run, end, endAll };
}

it('a fair queue runs as many tasks at once as it has places, and those of one group in the order of their arrival', async () => {
  const { begun, run, end, endAll } = heldQueue();
  const results = ['a0', 'a1', 'a2', 'a3'].map((name) => run(name));
  await settle();
  expect(begun).toEqual(['a0', 'a1']);
  await end('a1');
  expect(begun).toEqual(['a0', 'a1', 'a2']);
  await endAll();
  expect(begun).toEqual(['a0', 'a1', 'a2', 'a3']);
  expect(await Promise.all(results)).toEqual(['a0', 'a1', 'a2', 'a3']);
});

it('a fair queue serves groups in turns, however many tasks of one of them wait', async () => {
  const { begun, run, end, endAll } = heldQueue({ places: 1 });
  const results = ['a0', 'a1', 'a2', 'a3', 'b0', 'b1', 'c0'].map((name) => run(name));
  for (const name of ['a0', 'a1', 'b0', 'c0']) await end(name);
  expect(begun).toEqual(['a0', 'a1', 'b0', 'c0', 'a2']);
  await endAll();
  await Promise.all(results);
  expect(begun.slice(5)).toEqual(['b1', 'a3']);
});

it('a fair queue serves urgent tasks before all others, and keeps places for them', async () => {
  const { begun, run, end, endAll } = heldQueue({ places: 1, urgentPlaces: 1 });
  const results = [run('a0'), run('a1'), run('b0', { urgent: true }), run('c0', { urgent: true })];
  await settle();
  expect(begun).toEqual(['a0', 'b0']);
  await end('a0');
  expect(begun).toEqual(['a0', 'b0', 'c0']);
  await endAll();
  await Promise.all(results);
});

it('a fair queue serves one other task after three urgent ones, so that none waits for ever', async () => {
  const { begun, run, end, endAll } = heldQueue({ places: 1 });
  const flood = ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7'];
  const results = flood.map((name) => run(name, { urgent: true }));
  results.push(run('b0'), run('b1'), run('b2'));
  for (let turn = 0; turn < 8; turn++) await end(begun.at(-1) ?? '');
  expect(begun).toEqual(['a0', 'a1', 'a2', 'a3', 'b0', 'a4', 'a5', 'a6', 'b1']);
  await endAll();
  expect(await Promise.all(results)).toHaveLength(11);
});

it('a fair queue gives one group no more than half of the places while another one waits', async () => {
  const { begun, run, end, endAll } = heldQueue({ places: 4 });
  const names = ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'b0', 'b1', 'b2', 'c0'];
  const results = names.map((name) => run(name));
  await settle();
  expect(begun).toEqual(['a0', 'a1', 'a2', 'a3']);
  for (const name of ['a0', 'a1', 'a2']) await end(name);
  expect(begun.slice(4)).toEqual(['b0', 'c0', 'a4']);
  await endAll();
  expect((await Promise.all(results)).length).toBe(names.length);
});

it('a fair queue never lets the urgent tasks of one group keep the tasks of others out', async () => {
  const { begun, run, end, endAll } = heldQueue({ places: 2 });
  const flood = ['a0', 'a1', 'a2', 'a3'].map((name) => run(name, { urgent: true }));
  const other = run('b0');
  await end('a0');
  await end('a1');
  expect(begun).toContain('b0');
  await endAll();
  await Promise.all([...flood, other]);
});

it('a fair queue refuses one more than may wait of a group without starting it, and takes those of other groups', async () => {
  const { begun, run, endAll } = heldQueue({ places: 1, maxWaitingEach: 1 });
  const results = [run('a0'), run('a1')];
  await expect(run('a2')).rejects.toBeInstanceOf(OverloadError);
  results.push(run('b0'));
  await endAll();
  expect(await Promise.all(results)).toEqual(['a0', 'a1', 'b0']);
  expect(begun).not.toContain('a2');
});

it('a fair queue refuses one more than may wait of all groups', async () => {
  const { run, endAll } = heldQueue({ places: 1, maxWaiting: 2 });
  const results = [run('a0'), run('a1'), run('b0')];
  await expect(run('c0')).rejects.toBeInstanceOf(OverloadError);
  await endAll();
  expect(await Promise.all(results)).toEqual(['a0', 'a1', 'b0']);
});

it('a task of a fair queue that takes several places waits for them, and is passed by no later task', async () => {
  const { begun, run, end, endAll } = heldQueue();
  const results = [run('a0'), run('b0', { weight: 2 }), run('c0')];
  await settle();
  expect(begun).toEqual(['a0']);
  await end('a0');
  expect(begun).toEqual(['a0', 'b0']);
  await end('b0');
  expect(begun).toEqual(['a0', 'b0', 'c0']);
  await endAll();
  await Promise.all(results);
});

it('a task of a fair queue that takes more places than there are runs alone', async () => {
  const { begun, run, endAll } = heldQueue();
  const results = [run('a0', { weight: 5 }), run('b0')];
  await settle();
  expect(begun).toEqual(['a0']);
  await endAll();
  expect(await Promise.all(results)).toEqual(['a0', 'b0']);
});

it('a fair queue gives one group no more than its places even if no other group waits, and one heavy task in any case', async () => {
  const { begun, run, end, endAll } = heldQueue({ places: 4, placesEach: 2 });
  const results = ['a0', 'a1', 'a2', 'b0'].map((name) => run(name));
  results.push(run('c0', { weight: 1 }), run('d0', { weight: 3 }));
  await settle();
  expect(begun).toEqual(['a0', 'a1', 'b0', 'c0']);
  await end('a0');
  expect(begun.slice(4)).toEqual(['a2']);
  for (const name of ['a1', 'a2']) await end(name);
  expect(begun.slice(5)).toEqual([]);
  await end('b0');
  expect(begun.slice(5)).toEqual(['d0']);
  await endAll();
  expect(await Promise.all(results)).toHaveLength(6);
});

it('a fair queue gives the urgent tasks of one group half of the places, so that those of others find one', async () => {
  const { begun, run, endAll } = heldQueue({ places: 4, urgentPlaces: 2, placesEach: 1 });
  const results = [run('a0'), run('a1')];
  for (const name of ['a2', 'a3', 'a4', 'b0']) results.push(run(name, { urgent: true }));
  await settle();
  expect(begun).toEqual(['a0', 'a2', 'a3', 'b0']);
  await endAll();
  expect(await Promise.all(results)).toHaveLength(6);
});

it('a task that rests counts for its group for as long again as it took, and leaves its place to others at once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  const { begun, run, end, endAll } = heldQueue({ places: 2, placesEach: 1 });
  const results = [run('a0', { rests: true, weight: 2 }), run('a1'), run('b0'), run('c0')];
  await settle();
  expect(begun).toEqual(['a0']);
  vi.advanceTimersByTime(50);
  await end('a0');
  expect(begun).toEqual(['a0', 'b0', 'c0']);
  await end('b0');
  vi.advanceTimersByTime(49);
  await settle();
  expect(begun).toEqual(['a0', 'b0', 'c0']);
  vi.advanceTimersByTime(1);
  await settle();
  expect(begun).toEqual(['a0', 'b0', 'c0', 'a1']);
  await endAll();
  await Promise.all(results);
});

it('a place of a fair queue is free again after a task that fails or throws', async () => {
  const queue = new FairQueue({ places: 1, maxWaitingEach: 1, maxWaiting: 1, reason: 'argon2' });
  const ticket = { group: 'a' };
  const fail = () => Promise.reject(new Error('failed'));
  await expect(queue.run(ticket, fail)).rejects.toThrow('failed');
  const thrower = () => {
    throw new Error('thrown');
  };
  await expect(queue.run(ticket, thrower)).rejects.toThrow('thrown');
  expect(await queue.run(ticket, async () => 'done')).toBe('done');
  expect(queue.waiting).toBe(0);
});

it('a task that fails rests, as what is refused again and again takes time from others, but an urgent one does not', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  const queue = new FairQueue({
    places: 2,
    placesEach: 1,
    maxWaitingEach: 2,
    maxWaiting: 2,
    reason: 'management',
  });
  const begun: string[] = [];
  const failAfter = async (ms: number) => {
    vi.advanceTimersByTime(ms);
    throw new Error('refused');
  };
  await expect(queue.run({ group: 'a' }, () => failAfter(50))).rejects.toThrow('refused');
  const next = queue.run({ group: 'a' }, async () => begun.push('next'));
  await expect(queue.run({ group: 'b', urgent: true }, () => failAfter(20))).rejects.toThrow();
  await queue.run({ group: 'b' }, async () => begun.push('of the urgent'));
  expect(begun).toEqual(['of the urgent']);
  vi.advanceTimersByTime(30);
  await next;
  expect(begun).toEqual(['of the urgent', 'next']);
});

it('a fair queue keeps its bounds and serves everyone it has taken, whatever arrives and ends when', async () => {
  const arrival = fc.record({
    group: fc.constantFrom('a', 'b', 'c'),
    urgent: fc.boolean(),
    weight: fc.integer({ min: 1, max: 3 }),
  });
  const bounds = fc.record({
    places: fc.integer({ min: 1, max: 4 }),
    urgentPlaces: fc.nat(2),
    placesEach: fc.integer({ min: 1, max: 4 }),
    maxWaitingEach: fc.nat(3),
    maxWaiting: fc.nat(5),
  });
  await fc.assert(
    fc.asyncProperty(
      bounds,
      fc.array(fc.oneof(arrival, fc.nat(4)), { maxLength: 40 }),
      async (size, steps) => {
        const { queue, begun, ends, run, end, endAll } = heldQueue(size);
        const taken: string[] = [];
        const weights = new Map<string, number>();
        for (const [i, step] of steps.entries()) {
          if (typeof step === 'number')
            await end([...ends.keys()][step % Math.max(1, ends.size)] ?? '');
          else {
            const name = `${step.group}${i}`;
            weights.set(name, Math.min(step.weight, size.places));
            const running = run(name, step);
            let isRefused = false;
            running.catch(() => {
              isRefused = true;
            });
            await settle();
            if (isRefused) continue;
            taken.push(name);
          }
          const used = [...ends.keys()].reduce((sum, name) => sum + (weights.get(name) ?? 0), 0);
          expect(used).toBeLessThanOrEqual(size.places + size.urgentPlaces);
          expect(queue.waiting).toBeLessThanOrEqual(size.maxWaiting);
          expect(queue.waiting).toBe(taken.length - begun.length);
        }
        await endAll();
        expect(begun.toSorted()).toEqual(taken.toSorted());
      },
    ),
  );
});
