import { setImmediate as nextImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapInTurns, partsOf, turnKeeper } from '../../src/lib/turns.ts';

function workFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** How often the event loop comes around until the work is done. */
async function countTurns(work: Promise<unknown>): Promise<number> {
  let isDone = false;
  let turns = 0;
  work.then(() => {
    isDone = true;
  });
  for (; !isDone; turns++) await nextImmediate();
  return turns;
}

describe('long work in turns', () => {
  it('work of many steps lets everything else run between them', async () => {
    const steps = mapInTurns(Array.from({ length: 12 }), () => workFor(3));
    expect(await countTurns(steps)).toBeGreaterThanOrEqual(5);
  });

  it('two lists at the same time have one step each turn between them, not one each', async () => {
    const order: string[] = [];
    const list = (name: string) =>
      mapInTurns([1, 2, 3], () => {
        order.push(name);
        workFor(6);
      });
    const work = Promise.all([list('a'), list('b')]);
    const seen: number[] = [];
    let isDone = false;
    work.then(() => {
      isDone = true;
    });
    while (!isDone) {
      await nextImmediate();
      seen.push(order.length);
    }
    const inOneTurn = seen.map((count, index) => count - (seen[index - 1] ?? 2));
    expect(Math.max(...inOneTurn)).toBe(1);
    expect(order.toSorted()).toEqual(['a', 'a', 'a', 'b', 'b', 'b']);
  });

  it('results stand in the order of their items, and a short list waits for no turn', async () => {
    expect(await mapInTurns(['a', 'b'], (item, index) => `${item}${index}`)).toEqual(['a0', 'b1']);
    expect(turnKeeper()()).toBeUndefined();
  });

  it('the parts of a list hold each item once, in order, and none is longer than asked for', () => {
    expect(partsOf([1, 2, 3, 4, 5], { items: 2 })).toEqual([[1, 2], [3, 4], [5]]);
    expect(partsOf([], { items: 2 })).toEqual([]);
  });
});

it('a part is no larger than its bound, but for an item that is larger itself', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), fc.integer({ min: 1, max: 30 }), (sizes, size) => {
      const parts = partsOf(sizes, { items: 5, size }, (own) => own);
      expect(parts.flat()).toEqual(sizes);
      for (const part of parts) {
        expect(part.length).toBeLessThanOrEqual(5);
        const sum = part.reduce((before, own) => before + own, 0);
        expect(part.length === 1 || sum <= size).toBe(true);
      }
    }),
  );
});
