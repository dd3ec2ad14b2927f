import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../src/lib/logger.ts';
import { type UsageBatch, UsageCounters } from '../../src/usage/counters.ts';
import { type BatchNumber, UsageFlusher } from '../../src/usage/flusher.ts';

type Outcome = 'written' | 'lost' | 'unknown';

/**
 * Accepts each batch once, as the database does; a write may fail before or after it takes effect.
 */
class Ledger {
  total = 0;
  readonly #last = new Map<string, number>();
  readonly sent: { stream: string; sequence: number; batch: string }[] = [];
  readonly outcomes: Outcome[] = [];
  atOnce = 0;
  most = 0;
  hold: Promise<void> = Promise.resolve();

  readonly write = async ({ stream, sequence }: BatchNumber, batch: UsageBatch): Promise<void> => {
    this.most = Math.max(this.most, ++this.atOnce);
    this.sent.push({ stream, sequence, batch: JSON.stringify(batch) });
    await this.hold;
    this.atOnce--;
    const outcome = this.outcomes.shift() ?? 'written';
    if (outcome === 'lost') throw new Error('connection lost');
    if (sequence > (this.#last.get(stream) ?? 0)) {
      this.#last.set(stream, sequence);
      for (const { count } of batch.counts) this.total += count;
    }
    if (outcome === 'unknown') throw new Error('no answer to COMMIT');
  };
}

function setUp(capacity = 100, streams = 1) {
  const counters = new UsageCounters(capacity);
  const ledger = new Ledger();
  const flusher = new UsageFlusher(counters, ledger.write, createLogger('silent'), {
    ...{ streams, stopPausesMs: [0, 0] },
  });
  const count = (ref = 'ref') => counters.count('key', ref, 'VALID', 0);
  return { counters, ledger, flusher, count };
}

describe('a flush', () => {
  it('a flush of several batches that fails in the middle loses and repeats nothing', async () => {
    const { ledger, flusher, counters, count } = setUp(4000);
    for (let ref = 0; ref < 1400; ref++) count(`ref ${ref}`);
    ledger.outcomes.push('written', 'unknown');
    await expect(flusher.flush()).rejects.toThrow('no answer');
    expect(ledger.total).toBe(1400);
    expect(counters.size).toBe(700);
    for (let ref = 1300; ref < 1500; ref++) count(`ref ${ref}`);
    await flusher.flush();
    expect(ledger.total).toBe(1600);
    expect(counters.size).toBe(0);
    expect(ledger.sent.map(({ sequence }) => sequence)).toEqual([1, 2, 2, 3]);
  });

  it('a flush of nothing writes nothing', async () => {
    const { ledger, flusher } = setUp();
    await flusher.flush();
    expect(ledger.sent).toEqual([]);
  });

  it('a failed flush is sent again unchanged, and newer counts follow under the next number', async () => {
    const { ledger, flusher, count } = setUp();
    ledger.outcomes.push('unknown', 'lost');
    count();
    await expect(flusher.flush()).rejects.toThrow('no answer');
    count();
    await expect(flusher.flush()).rejects.toThrow('lost');
    count();
    await flusher.flush();
    expect(ledger.sent.map(({ sequence }) => sequence)).toEqual([1, 1, 1, 2]);
    const [first, second, third] = ledger.sent;
    expect(second).toEqual(first);
    expect(third).toEqual(first);
    expect(ledger.total).toBe(3);
  });

  it('flushes of one stream never overlap, and a flush ends only after what was counted before it is written', async () => {
    const { ledger, flusher, count } = setUp();
    const held = Promise.withResolvers<void>();
    ledger.hold = held.promise;
    count();
    const first = flusher.flush();
    await vi.waitFor(() => expect(ledger.sent).toHaveLength(1));
    count();
    const second = Promise.all([flusher.flush(), flusher.flush()]);
    held.resolve();
    await first;
    await second;
    expect(ledger).toMatchObject({ most: 1, total: 2 });
    expect(ledger.sent.map(({ sequence }) => sequence)).toEqual([1, 2]);
  });

  it('a failed flush fails only its own callers: a caller during it gets the outcome of the next one', async () => {
    const { ledger, flusher, count } = setUp();
    const held = Promise.withResolvers<void>();
    ledger.hold = held.promise;
    ledger.outcomes.push('lost');
    count();
    const first = flusher.flush();
    await vi.waitFor(() => expect(ledger.sent).toHaveLength(1));
    const second = flusher.flush();
    held.resolve();
    await expect(first).rejects.toThrow('lost');
    await second;
    expect(ledger.total).toBe(1);
  });
});

describe('the ticks of the timer', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  function setUpTicking() {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { ledger, flusher, count } = setUp(4000);
    flusher.start(1000);
    const tick = async (times = 1) => {
      vi.advanceTimersByTime(1000 * times);
      await new Promise(setImmediate);
    };
    return { ledger, flusher, count, tick };
  }

  it('ticks during a write that takes longer than the interval do not queue up: the next tick writes what came meanwhile', async () => {
    const { ledger, count, tick } = setUpTicking();
    const held = Promise.withResolvers<void>();
    ledger.hold = held.promise;
    count();
    await tick();
    count();
    await tick(5);
    expect(ledger.sent).toHaveLength(1);
    held.resolve();
    await new Promise(setImmediate);
    expect(ledger).toMatchObject({ total: 1, atOnce: 0 });
    expect(ledger.sent).toHaveLength(1);
    await tick();
    expect(ledger.sent).toHaveLength(2);
    expect(ledger.total).toBe(2);
  });

  it('a tick whose write fails is followed by one that writes the same batch', async () => {
    const { ledger, count, tick } = setUpTicking();
    ledger.outcomes.push('lost', 'unknown');
    count();
    await tick();
    await tick();
    await tick();
    expect(ledger.sent.map(({ sequence }) => sequence)).toEqual([1, 1, 1]);
    expect(ledger.total).toBe(1);
  });

  it('the batches of a tick are spread over the interval, and a stop writes the rest at once', async () => {
    const { ledger, flusher, count, tick } = setUpTicking();
    for (let ref = 0; ref < 2100; ref++) count(`ref ${ref}`);
    await tick();
    await new Promise(setImmediate);
    expect(ledger.total).toBe(700);
    await flusher.stop();
    expect(ledger).toMatchObject({ total: 2100, most: 1 });
    expect(ledger.sent.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  });

  it('a stop during a tick waits for its write, writes the rest, and ends the ticks', async () => {
    const { ledger, flusher, count, tick } = setUpTicking();
    const held = Promise.withResolvers<void>();
    ledger.hold = held.promise;
    count();
    await tick();
    count();
    const stopped = flusher.stop();
    held.resolve();
    await stopped;
    expect(ledger).toMatchObject({ total: 2, most: 1 });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a stop', () => {
  it('a stop writes all counters, even if the connection is lost at that moment', async () => {
    const { ledger, flusher, count } = setUp();
    flusher.start(3_600_000);
    for (let i = 0; i < 7; i++) count(`ref${i}`);
    ledger.outcomes.push('lost', 'unknown');
    await flusher.stop();
    expect(ledger.total).toBe(7);
  });

  it('a stop reports that nothing could be written', async () => {
    const { ledger, flusher, count } = setUp();
    count();
    ledger.outcomes.push(...Array<Outcome>(20).fill('lost'));
    await expect(flusher.stop()).rejects.toThrow('lost');
  });
});

describe('answers that wait for their counts', () => {
  it('two writes are in flight at a time, and an answer waits for the one that has its count', async () => {
    const { ledger, flusher, count } = setUp(100, 2);
    const held = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const answered: string[] = [];
    const answer = (name: string) => {
      count(name);
      return flusher.commit().then(() => answered.push(name));
    };
    ledger.hold = held[0]?.promise ?? ledger.hold;
    const first = answer('first');
    await vi.waitFor(() => expect(ledger.sent).toHaveLength(1));
    ledger.hold = held[1]?.promise ?? ledger.hold;
    const second = answer('second');
    await vi.waitFor(() => expect(ledger.sent).toHaveLength(2));
    const third = Promise.all([answer('third'), answer('fourth')]);
    await new Promise(setImmediate);
    expect(ledger.sent).toHaveLength(2);
    held[1]?.resolve();
    await second;
    await third;
    expect(answered).toEqual(['second', 'third', 'fourth']);
    held[0]?.resolve();
    await first;
    expect(ledger).toMatchObject({ total: 4, most: 2 });
    expect(ledger.sent.map(({ stream, sequence }) => `${stream} ${sequence}`)).toEqual([
      'usage-0 1',
      'usage-1 1',
      'usage-1 2',
    ]);
  });

  it('no answer is given before its count is written, also if a tick writes it', async () => {
    const { ledger, flusher, count } = setUp(100, 2);
    const held = Promise.withResolvers<void>();
    ledger.hold = held.promise;
    count();
    let isAnswered = false;
    const answer = flusher.commit().then(() => {
      isAnswered = true;
    });
    const flushed = flusher.flush();
    await vi.waitFor(() => expect(ledger.sent).toHaveLength(1));
    await new Promise(setImmediate);
    expect(isAnswered).toBe(false);
    held.resolve();
    await Promise.all([answer, flushed]);
    expect(ledger.total).toBe(1);
  });

  it('an answer whose count could not be written is refused, and its count is written once, later', async () => {
    const { ledger, flusher, count } = setUp(100, 2);
    ledger.outcomes.push('unknown', 'lost', 'lost');
    for (const reason of ['no answer', 'lost']) {
      count();
      await expect(flusher.commit()).rejects.toThrow(reason);
    }
    await flusher.flush().catch(() => {});
    await flusher.flush();
    expect(ledger.total).toBe(2);
  });
});

it('whatever fails how often and in whatever order, each count is written once', async () => {
  const outcome = fc.constantFrom<Outcome>('written', 'lost', 'unknown');
  const step = fc.oneof(fc.nat(5), fc.array(outcome, { maxLength: 3 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.constantFrom(1, 2),
      async (steps, streams) => {
        const { ledger, flusher, count } = setUp(100, streams);
        const flushes: Promise<unknown>[] = [];
        let counted = 0;
        for (const next of steps) {
          if (typeof next === 'number') {
            count(`ref${next}`);
            counted++;
            if (streams === 2) flushes.push(flusher.commit().catch(() => undefined));
          } else {
            ledger.outcomes.push(...next);
            flushes.push(flusher.flush().catch(() => undefined));
            if (next.length > 1) await Promise.all(flushes);
            expect(ledger.total).toBeLessThanOrEqual(counted);
          }
        }
        await Promise.all(flushes);
        ledger.outcomes.length = 0;
        await flusher.flush();
        expect(ledger.total).toBe(counted);
        expect(ledger.most).toBeLessThanOrEqual(streams);
      },
    ),
  );
});
