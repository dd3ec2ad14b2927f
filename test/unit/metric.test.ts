import { expect, it } from 'vitest';
import { Histogram } from '../../src/lib/histogram.ts';
import { Counters } from '../../src/lib/metric.ts';

it('a histogram counts a value in the bucket of the first bound that is as large, and in all above', () => {
  const measured = new Histogram([0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 2]) measured.observe(value);
  const samples = measured.samples('seconds', { lane: 'low' });
  expect(samples.map(({ metricName, labels, value }) => [metricName, labels, value])).toEqual([
    ['seconds_bucket', { lane: 'low', le: '0.1' }, 2],
    ['seconds_bucket', { lane: 'low', le: '1' }, 3],
    ['seconds_bucket', { lane: 'low', le: '+Inf' }, 4],
    ['seconds_sum', { lane: 'low' }, 2.65],
    ['seconds_count', { lane: 'low' }, 4],
  ]);
});

it('counters by a label show each known value from the start, and count it alone', () => {
  const counts = new Counters(['a', 'b', 'c']);
  counts.add('b');
  counts.add('b');
  counts.add('c');
  expect(counts.entries()).toEqual([
    ['a', 0],
    ['b', 2],
    ['c', 1],
  ]);
});
