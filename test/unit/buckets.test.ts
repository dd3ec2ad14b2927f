import { expect, it } from 'vitest';
import { KeywardError } from '../../src/errors.ts';
import { bucketEdges, offsetOf } from '../../src/usage/query/buckets.ts';
import { type RangeQuery, rangeOf } from '../../src/usage/query/range.ts';

const HOUR_MS = 3_600_000;
const KEPT = { hours: 35, days: 400 };
const NOW = Date.parse('2030-06-15T10:30:00Z');

/** The lengths of the days of a zone, in hours. */
function hoursOfDays(timeZone: string, from: string, to: string): number[] {
  const offset = offsetOf(timeZone);
  const range = { from: Date.parse(from), to: Date.parse(to) };
  const edges = (offset && bucketEdges('day', offset, range, 400)) ?? [];
  return edges.slice(1).map((edge, index) => (edge - (edges[index] ?? 0)) / HOUR_MS);
}

it.each([
  ['Europe/Berlin', '2030-03-30T12:00:00Z', '2030-04-01T12:00:00Z', [24, 23, 24]],
  ['Europe/Berlin', '2030-10-26T12:00:00Z', '2030-10-28T12:00:00Z', [24, 25, 24]],
  ['America/New_York', '2030-03-09T12:00:00Z', '2030-03-11T12:00:00Z', [24, 23, 24]],
  // At midnight itself: the day begins at one o'clock, or has midnight twice.
  ['America/Santiago', '2030-09-07T12:00:00Z', '2030-09-09T12:00:00Z', [24, 23, 24]],
  ['America/Santiago', '2030-04-06T12:00:00Z', '2030-04-08T12:00:00Z', [25, 24, 24]],
  ['America/Havana', '2030-11-02T12:00:00Z', '2030-11-04T12:00:00Z', [24, 25, 24]],
  ['Asia/Tokyo', '2030-03-30T12:00:00Z', '2030-04-01T12:00:00Z', [24, 24, 24]],
])(
  'the days of %s from %s to %s have as many hours as their clocks show',
  (zone, from, to, hours) => {
    expect(hoursOfDays(zone, from, to)).toEqual(hours);
  },
);

it('each day of a zone begins at the first hour that its clocks show that day, in a whole year', () => {
  for (const zone of ['Europe/London', 'America/Santiago', 'Pacific/Auckland', 'Africa/Cairo']) {
    const offset = offsetOf(zone);
    const range = {
      from: Date.parse('2029-12-31T00:00:00Z'),
      to: Date.parse('2031-01-01T00:00:00Z'),
    };
    const day = new Intl.DateTimeFormat('en-CA', { timeZone: zone });
    const edges = (offset && bucketEdges('day', offset, range, 400)) ?? [];
    expect(edges.length).toBeGreaterThan(365);
    const shown = edges.map((edge) => [day.format(edge - HOUR_MS), day.format(edge)]);
    expect(shown.filter(([before = '', on = '']) => before >= on)).toEqual([]);
    expect(new Set(shown.map(([, on]) => on)).size).toBe(edges.length);
  }
});

const resolve = (query: Partial<RangeQuery>) =>
  rangeOf({ granularity: 'day', ...query }, NOW, KEPT);
const times = ({ starts }: { starts: readonly number[] }) =>
  starts.map((start) => new Date(start).toISOString().slice(0, 13));

it('a range is widened to whole hours, days or months of its zone', () => {
  const query = { from: '2030-06-10T12:34:00Z', to: '2030-06-11T00:00:00.001Z' };
  expect(times(resolve(query))).toEqual(['2030-06-10T00', '2030-06-11T00']);
  expect(times(resolve({ ...query, timeZone: 'Europe/Berlin' }))).toEqual([
    '2030-06-09T22',
    '2030-06-10T22',
  ]);
  expect(times(resolve({ ...query, granularity: 'month' }))).toEqual(['2030-06-01T00']);
  expect(times(resolve({ ...query, granularity: 'hour', timeZone: 'Asia/Kolkata' })).length).toBe(
    13,
  );
});

it('months of a range have the length that the calendar gives them', () => {
  const query = {
    granularity: 'month',
    from: '2028-01-31T00:00:00Z',
    to: '2028-03-01T00:00:01Z',
  } as const;
  expect(times(resolve(query))).toEqual(['2028-01-01T00', '2028-02-01T00', '2028-03-01T00']);
});

it('a range without a start goes back 30 days, or as far as is kept', () => {
  expect(resolve({}).starts.length).toBe(30);
  const short = rangeOf({ granularity: 'hour' }, NOW, { hours: 2, days: 400 });
  expect(new Date(short.from).toISOString()).toBe('2030-06-13T00:00:00.000Z');
  const month = resolve({ granularity: 'month', timeZone: 'Europe/Berlin' });
  expect(times(month)).toEqual(['2030-05-31T22']);
});

it.each<[Partial<RangeQuery>, string, RegExp]>([
  [{ timeZone: 'Mars/Olympus' }, '/query/timeZone', /name of a time zone/],
  [{ timeZone: '' }, '/query/timeZone', /name of a time zone/],
  [
    { timeZone: 'Asia/Kolkata' },
    '/query/timeZone',
    /no whole hour.*granularity=hour or timeZone=UTC/,
  ],
  [{ timeZone: 'Asia/Kathmandu' }, '/query/timeZone', /no whole hour/],
  [{ timeZone: 'Australia/Adelaide' }, '/query/timeZone', /no whole hour/],
  [{ timeZone: 'Australia/Lord_Howe' }, '/query/timeZone', /no whole hour/],
  [{ from: '2030-06-12T00:00:00Z', to: '2030-06-11T00:00:00Z' }, '/query/from', /earlier than/],
  [{ from: '2029-01-01T00:00:00Z', to: '2029-02-01T00:00:00Z' }, '/query/from', /kept no longer/],
  [{ from: '2029-05-11T00:00:00Z', to: '2030-06-16T00:00:00Z' }, '/query/from', /at most 400 days/],
  [
    { granularity: 'hour', from: '2030-05-10T00:00:00Z', to: '2030-05-11T00:00:00Z' },
    '/query/from',
    /kept/,
  ],
  [
    { granularity: 'month', from: '1999-01-01T00:00:00Z', to: '2020-01-01T00:00:00Z' },
    '/query/from',
    /120/,
  ],
  [
    { timeZone: 'Europe/Berlin', from: '2030-05-01T00:00:00Z', to: '2030-05-12T00:00:00Z' },
    '/query/from',
    /another time zone than UTC needs usage by hour/,
  ],
  [{ to: '9999-12-31T23:59:59Z' }, '/query/to', /9999-12-31/],
])('a range with %j is refused at %s', (query, pointer, detail) => {
  try {
    resolve(query);
    expect.unreachable();
  } catch (error) {
    if (!(error instanceof KeywardError)) throw error;
    expect(error.errors).toEqual([{ pointer, detail: expect.stringMatching(detail) }]);
  }
});

it('names of UTC are UTC, so that days that are no longer kept by hour can be read by them', () => {
  const from = '2029-12-01T00:00:00Z';
  for (const timeZone of ['UTC', 'Etc/UTC', 'GMT']) {
    expect(resolve({ from, timeZone }).detail).toBe('day');
  }
});
