import { expect, it } from 'vitest';
import { Arrivals } from '../../bench/harness/arrivals.ts';
import { fillIn, tableOf } from '../../bench/harness/report.ts';
import { median, percentile } from '../../bench/harness/statistics.ts';

const upTo = (count: number) => Array.from({ length: count }, (_, place) => place + 1);

it('a percentile is the least value that the share of all values does not exceed', () => {
  expect([0.5, 0.99, 0.999].map((share) => percentile(upTo(1000), share))).toEqual([500, 990, 999]);
  expect([0.5, 0.99, 1].map((share) => percentile(upTo(3), share))).toEqual([2, 3, 3]);
});

it('a share that binary fractions cannot express does not move a percentile by one place', () => {
  const shares = upTo(100).map((percent) => percentile(upTo(100), percent / 100));
  expect(shares).toEqual(upTo(100));
});

it('a percentile of no values is not a number', () => {
  expect(percentile([], 0.5)).toBeNaN();
});

it('the median of an even number of values is half-way between the two in the middle', () => {
  expect(median([9, 1, 4])).toBe(4);
  expect(median([10, 1, 4, 9])).toBe(6.5);
});

it('arrivals are due at even intervals from the start, and none before its time', () => {
  const arrivals = new Arrivals(1000, 4, 1);
  expect(arrivals.take(999)).toBeNull();
  expect(arrivals.take(1000)).toBe(1000);
  expect(arrivals.take(1249)).toBeNull();
  expect(arrivals.nextMs).toBe(1250);
});

it('after a stall, each arrival that was missed counts from when it was due', () => {
  const arrivals = new Arrivals(0, 10, 1);
  const due = upTo(5).map(() => arrivals.take(350));
  expect(due).toEqual([0, 100, 200, 300, null]);
});

it('arrivals end after the rate times the seconds, however late the last is taken', () => {
  const arrivals = new Arrivals(0, 3, 2);
  const due = upTo(7).map(() => arrivals.take(1e9));
  expect(due.filter((at) => at !== null)).toHaveLength(6);
  expect(due.at(-1)).toBeNull();
  expect(arrivals.nextMs).toBe(Number.POSITIVE_INFINITY);
});

it('the last of a million arrivals is due as exactly as the first', () => {
  const arrivals = new Arrivals(0, 30_000, 40);
  for (let taken = 0; taken < 900_000; taken++) arrivals.take(1e9);
  expect(arrivals.nextMs).toBeCloseTo(30_000, 9);
});

it('a table has the median of each figure, and the least and the most of several processes', () => {
  const rows = [4.126, 2, 5].flatMap((ms) => [
    { name: 'no-op', figures: { 'a second': 31_649, 'p99 ms': ms } },
    { name: 'in use', figures: { 'p99 ms': ms * 10, ratio: 10 } },
  ]);
  expect(tableOf(rows).split('\n')).toEqual([
    '|  | a second | p99 ms | ratio |',
    '| --- | ---: | ---: | ---: |',
    '| no-op | 31,600 (31,600–31,600) | 4.13 (2.00–5.00) | – |',
    '| in use | – | 41.3 (20.0–50.0) | 10.0 (10.0–10.0) |',
  ]);
});

it('a figure of one process is shown without a spread', () => {
  expect(tableOf([{ name: 'in use', figures: { ms: 412.3 } }])).toMatch(/\| in use \| 412 \|$/);
});

it('a table of a document is replaced between its own marks, and nothing else', () => {
  const document =
    'a\n<!-- bench x -->\n\n1\n\n<!-- /bench -->\nb\n<!-- bench y -->\n2\n<!-- /bench -->\nc';
  expect(fillIn(document, 'y', '| new |')).toBe(
    'a\n<!-- bench x -->\n\n1\n\n<!-- /bench -->\nb\n<!-- bench y -->\n\n| new |\n\n<!-- /bench -->\nc',
  );
});

it('a document without a place for a table is refused, not changed somewhere else', () => {
  expect(() => fillIn('<!-- bench x --><!-- /bench -->', 'y', '| new |')).toThrow('no place for y');
});
