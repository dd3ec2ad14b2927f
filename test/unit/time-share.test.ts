import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TimeShare } from '../../src/freshness/time-share.ts';

const SHARE = 0.6;

const schedules = fc.array(
  fc.record({
    quiet: fc.double({ min: 0, max: 3, noNaN: true }),
    work: fc.double({ min: 0, max: 0.9, noNaN: true }),
  }),
  { minLength: 1, maxLength: 200 },
);

it('in any stretch of time, work takes no more than its share, a millisecond saved and one begun', () => {
  fc.assert(
    fc.property(schedules, (schedule) => {
      let now = 1000;
      const share = new TimeShare(SHARE, () => now);
      const works: { from: number; to: number }[] = [];
      for (const { quiet, work } of schedule) {
        now += quiet;
        if (!share.isLeft) continue;
        share.begin();
        const from = now;
        now += work;
        share.end();
        works.push({ from, to: now });
      }
      for (const [first, { from }] of works.entries()) {
        let worked = 0;
        for (const { from: began, to } of works.slice(first)) {
          worked += to - began;
          expect(worked).toBeLessThanOrEqual(SHARE * (to - from) + 2 + 1e-6);
        }
      }
    }),
  );
});

it('work that takes less than its share of the time never has to wait', () => {
  let now = 0;
  const share = new TimeShare(SHARE, () => now);
  for (let i = 0; i < 1000; i++) {
    expect(share.isLeft).toBe(true);
    share.begin();
    now += 0.55;
    share.end();
    now += 0.45;
  }
});

it('work that took however long may begin again after a millisecond', () => {
  let now = 0;
  const share = new TimeShare(SHARE, () => now);
  for (const work of [5000, 1, 70, 1]) {
    expect(share.isLeft).toBe(true);
    share.begin();
    now += work;
    share.end();
    now += 1;
  }
  expect(share.isLeft).toBe(true);
});
