import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConcurrencyLimiter } from '../../src/lib/concurrency-limiter.ts';
import { OverloadError } from '../../src/lib/overload-error.ts';

/** A task that records its start and ends when the test says so. */
function heldWork() {
  const begun: number[] = [];
  const ends = new Map<number, () => void>();
  const work = (id: number) => () => {
    begun.push(id);
    return new Promise<number>((resolve) => ends.set(id, () => resolve(id)));
  };
  const end = async (id: number) => {
    ends.get(id)?.();
    ends.delete(id);
    await settle();
  };
  return { begun, ends, work, end };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('a concurrency limiter', () => {
  it('a concurrency limiter runs as many tasks at once as it may, and the others in the order of their arrival', async () => {
    const limiter = new ConcurrencyLimiter(2, 10);
    const { begun, work, end } = heldWork();
    const results = [0, 1, 2, 3, 4].map((id) => limiter.run(work(id)));
    await settle();
    expect(begun).toEqual([0, 1]);
    await end(1);
    expect(begun).toEqual([0, 1, 2]);
    await end(0);
    await end(2);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    await end(4);
    await end(3);
    expect(await Promise.all(results)).toEqual([0, 1, 2, 3, 4]);
  });

  it('a concurrency limiter refuses one more than may wait, without starting it', async () => {
    const limiter = new ConcurrencyLimiter(1, 1);
    const { begun, work, end } = heldWork();
    const results = [limiter.run(work(0)), limiter.run(work(1))];
    await expect(limiter.run(work(2))).rejects.toBeInstanceOf(OverloadError);
    await end(0);
    await end(1);
    expect(await Promise.all(results)).toEqual([0, 1]);
    expect(begun).toEqual([0, 1]);
  });

  it('a slot of a concurrency limiter is free again after a task that fails or throws', async () => {
    const limiter = new ConcurrencyLimiter(1, 1);
    await expect(limiter.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    const thrower = () => {
      throw new Error('thrown');
    };
    await expect(limiter.run(thrower)).rejects.toThrow('thrown');
    expect(await limiter.run(async () => 'done')).toBe('done');
    expect(limiter.waiting).toBe(0);
  });

  it('a concurrency limiter keeps its bounds and its order, whatever arrives and ends when', async () => {
    const step = fc.oneof(fc.constant('arrive' as const), fc.nat(3));
    const sizes = fc.record({ most: fc.integer({ min: 1, max: 3 }), waiting: fc.nat(3) });
    await fc.assert(
      fc.asyncProperty(sizes, fc.array(step, { maxLength: 40 }), async (size, steps) => {
        const limiter = new ConcurrencyLimiter(size.most, size.waiting);
        const { begun, ends, work, end } = heldWork();
        const admitted: number[] = [];
        for (const [id, next] of steps.entries()) {
          if (next === 'arrive') {
            const isFull = ends.size === size.most && limiter.waiting === size.waiting;
            const running = limiter.run(work(id));
            if (isFull) await expect(running).rejects.toBeInstanceOf(OverloadError);
            else admitted.push(id);
          } else await end([...ends.keys()][next % Math.max(1, ends.size)] ?? -1);
          await settle();
          expect(ends.size).toBeLessThanOrEqual(size.most);
          expect(begun).toEqual(admitted.slice(0, begun.length));
          expect(limiter.waiting).toBe(admitted.length - begun.length);
        }
      }),
    );
  });
});
