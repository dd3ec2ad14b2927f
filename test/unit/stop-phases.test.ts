import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/lib/logger.ts';
import { stopInOrder } from '../../src/lib/stop-phases.ts';

function recorder() {
  const order: string[] = [];
  const lines: string[] = [];
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  const phase = (name: string, run: () => Promise<unknown>, deadlineMs = 10_000) => ({
    name,
    deadlineMs,
    run: () => {
      order.push(name);
      return run();
    },
  });
  return { order, lines, phase, log: createLogger('trace', sink) };
}

const ok = () => Promise.resolve();

describe('a stop', () => {
  it('a stop runs its phases one after the other, and logs the end of each', async () => {
    const { order, lines, phase, log } = recorder();
    let ended = false;
    const slow = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      ended = true;
    };
    const after = async () => expect(ended).toBe(true);
    expect(await stopInOrder([phase('a', slow), phase('b', after)], log)).toBe(true);
    expect(order).toEqual(['a', 'b']);
    expect(lines).toHaveLength(2);
  });

  it.for([
    ['fails', () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['rejects with what is no error', () => Promise.reject('no')],
    ['never ends', () => new Promise(() => {})],
  ] as const)('a stop continues after a phase that %s, and is not clean', async ([, run]) => {
    const { order, lines, phase, log } = recorder();
    const phases = [phase('a', run, 20), phase('b', ok)];
    expect(await stopInOrder(phases, log)).toBe(false);
    expect(order).toEqual(['a', 'b']);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ phase: 'a' });
    expect(lines[0]).toContain('did not stop cleanly');
  });

  it('a stop is not disturbed by a phase that fails after its deadline', async () => {
    const { phase, log } = recorder();
    const late = Promise.withResolvers<void>();
    expect(await stopInOrder([phase('a', () => late.promise, 1)], log)).toBe(false);
    late.reject(new Error('too late'));
    await new Promise((resolve) => setImmediate(resolve));
  });
});
