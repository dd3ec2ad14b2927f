import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OverloadError } from '../../src/lib/overload-error.ts';
import { RequestBatcher } from '../../src/lib/request-batcher.ts';

const BOUNDS = { maxInFlight: 2, maxBatch: 3, maxWaiting: 5 };

interface Call {
  items: readonly number[];
  answer: (results: readonly number[]) => void;
  fail: (error: Error) => void;
}

/** A request batcher whose calls are answered by the test. */
function gatedBatcher(bounds = BOUNDS, isFirst?: (item: number) => boolean) {
  const calls: Call[] = [];
  let inFlight = 0;
  let mostInFlight = 0;
  const run = (items: readonly number[]) => {
    mostInFlight = Math.max(mostInFlight, ++inFlight);
    const { promise, resolve, reject } = Promise.withResolvers<readonly number[]>();
    calls.push({ items, answer: resolve, fail: reject });
    return promise.finally(() => inFlight--);
  };
  const batcher = new RequestBatcher<number, number>({
    run,
    ...bounds,
    ...(isFirst && { isFirst }),
  });
  return { batcher, calls, mostInFlight: () => mostInFlight };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
/** Two turns of the event loop: in one a call ends, in the next one the following call begins. */
const settle = async () => {
  await turn();
  await turn();
};
const tenfold = (items: readonly number[]) => items.map((item) => item * 10);

describe('a request batcher', () => {
  it('a request batcher sends together what arrives together, and gives each caller its own result', async () => {
    const { batcher, calls } = gatedBatcher();
    const answers = [1, 2, 3].map((item) => batcher.add(item));
    await settle();
    expect(calls.map(({ items }) => items)).toEqual([[1, 2, 3]]);
    calls[0]?.answer([10, 20, 30]);
    expect(await Promise.all(answers)).toEqual([10, 20, 30]);
  });

  it('a request batcher sends before all others what goes first, and leaves the others a part of each batch', async () => {
    const bounds = { maxInFlight: 1, maxBatch: 5, maxWaiting: 50 };
    const { batcher, calls } = gatedBatcher(bounds, (item) => item < 10);
    const answers = [11, 12, 13, 14, 15, 16, 17, 1, 2].map((item) => batcher.add(item));
    await settle();
    expect(calls[0]?.items).toEqual([1, 2, 11, 12, 13]);
    answers.push(...[3, 4, 5, 6, 7, 8].map((item) => batcher.add(item)));
    const sent = [
      [3, 4, 5, 6, 14],
      [7, 8, 15, 16, 17],
    ];
    for (const next of sent) {
      const call = calls.at(-1);
      call?.answer(tenfold(call.items));
      await settle();
      expect(calls.at(-1)?.items).toEqual(next);
    }
    const last = calls.at(-1);
    last?.answer(tenfold(last.items));
    expect(await Promise.all(answers)).toHaveLength(15);
  });

  it('a request batcher sends together what arrives in one turn of the event loop, and does not wait for more', async () => {
    const { batcher, calls } = gatedBatcher();
    const answers = [batcher.add(1)];
    await Promise.resolve();
    answers.push(batcher.add(2));
    await new Promise<void>((resolve) => process.nextTick(resolve));
    answers.push(batcher.add(3));
    expect(calls).toEqual([]);
    await turn();
    expect(calls.map(({ items }) => items)).toEqual([[1, 2, 3]]);
    calls[0]?.answer([10, 20, 30]);
    expect(await Promise.all(answers)).toEqual([10, 20, 30]);
  });

  it('a request batcher never lets an item join a call that has begun', async () => {
    const { batcher, calls } = gatedBatcher();
    const first = batcher.add(1);
    await settle();
    const second = batcher.add(1);
    await settle();
    expect(calls.map(({ items }) => items)).toEqual([[1], [1]]);
    calls[1]?.answer([2]);
    calls[0]?.answer([1]);
    expect(await Promise.all([first, second])).toEqual([1, 2]);
  });

  it('a request batcher has no more calls in flight than it may, and takes waiting items in order', async () => {
    const { batcher, calls } = gatedBatcher();
    const answers: Promise<number>[] = [];
    for (const item of [1, 2]) {
      answers.push(batcher.add(item));
      await settle();
    }
    const later = [3, 4, 5, 6, 7].map((item) => batcher.add(item));
    await settle();
    expect(batcher.waiting).toBe(5);
    for (let i = 0; i < 4; i++) {
      const call = calls[i];
      call?.answer(tenfold(call.items));
      await settle();
    }
    expect(calls.slice(-2).map(({ items }) => items)).toEqual([
      [3, 4, 5],
      [6, 7],
    ]);
    expect(await Promise.all([...answers, ...later])).toEqual([10, 20, 30, 40, 50, 60, 70]);
  });

  it('a request batcher refuses items beyond its bound of waiting ones, and no others', async () => {
    const { batcher, calls } = gatedBatcher({ maxInFlight: 1, maxBatch: 3, maxWaiting: 2 });
    const begun = batcher.add(0);
    await settle();
    const waiting = [batcher.add(1), batcher.add(2)];
    await expect(batcher.add(3)).rejects.toBeInstanceOf(OverloadError);
    calls[0]?.answer([0]);
    expect(await begun).toBe(0);
    await settle();
    const later = batcher.add(4);
    calls[1]?.answer([1, 2]);
    await settle();
    calls[2]?.answer([4]);
    expect(await Promise.all([...waiting, later])).toEqual([1, 2, 4]);
  });

  it('a failed call of a request batcher fails only its own items', async () => {
    const { batcher, calls } = gatedBatcher();
    const first = [batcher.add(1), batcher.add(2)];
    await settle();
    const second = batcher.add(3);
    await settle();
    calls[0]?.fail(new Error('broken'));
    calls[1]?.answer([30]);
    for (const answer of first) await expect(answer).rejects.toThrow('broken');
    expect(await second).toBe(30);
  });

  it('a request batcher continues after a call that throws, or that does not answer each item', async () => {
    const outcomes = [
      () => {
        throw new Error('thrown');
      },
      async () => [],
      async () => [1],
    ];
    const run = () => (outcomes.shift() ?? outcomes[0] ?? (async () => [1]))();
    const batcher = new RequestBatcher<number, number>({ run, ...BOUNDS });
    await expect(batcher.add(1)).rejects.toThrow('thrown');
    await expect(batcher.add(1)).rejects.toThrow('must answer each');
    expect(await batcher.add(1)).toBe(1);
  });

  it('a request batcher answers every item correctly, within all bounds, in any order of arrivals and answers', async () => {
    const step = fc.oneof(fc.constant('add' as const), fc.nat(3));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { batcher, calls, mostInFlight } = gatedBatcher();
        const open: Call[] = [];
        const outcomes: Promise<boolean>[] = [];
        let taken = 0;
        const answerOne = async (which: number) => {
          open.push(...calls.slice(taken));
          taken = calls.length;
          const [call] = open.splice(which % Math.max(1, open.length), 1);
          call?.answer(tenfold(call.items));
          await settle();
        };
        for (const [item, next] of steps.entries()) {
          if (next !== 'add') await answerOne(next);
          else if (batcher.waiting < BOUNDS.maxWaiting) {
            outcomes.push(batcher.add(item).then((result) => result === item * 10));
          } else await expect(batcher.add(item)).rejects.toBeInstanceOf(OverloadError);
        }
        await settle();
        while (taken < calls.length || open.length > 0) await answerOne(0);
        expect(await Promise.all(outcomes)).toEqual(outcomes.map(() => true));
        expect(mostInFlight()).toBeLessThanOrEqual(BOUNDS.maxInFlight);
        for (const { items } of calls) expect(items.length).toBeLessThanOrEqual(BOUNDS.maxBatch);
        const sent = calls.flatMap(({ items }) => items);
        expect(sent).toEqual([...sent].sort((a, b) => a - b));
      }),
    );
  });
});
