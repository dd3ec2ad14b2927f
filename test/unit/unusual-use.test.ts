import { describe, expect, it } from 'vitest';
import { UNUSUAL_USE_HOURS, unusualAbove } from '../../src/domain/unusual-use.ts';
import { alertsOf, type KeyYear, type Planted, yearsOfUse } from '../support/year-of-use.ts';

const DAY = 24;
const WEEK = 7 * DAY;
const THRESHOLDS = { factor: 5, minimum: 100 };

/** The hour that is judged, with what `usual` says of each hour before it. */
function judge(count: number, usual: (hoursAgo: number) => number, busiestDay = 0) {
  const hours = Array.from({ length: UNUSUAL_USE_HOURS }, (_, ago) => (ago ? usual(ago) : count));
  return unusualAbove({ hours, busiestDay }, THRESHOLDS);
}

describe('unusual use', () => {
  it('use is unusual above five times what the key had at this hour of the week, and not at it', () => {
    expect(judge(1001, () => 200)).toBe(1000);
    expect(judge(1000, () => 200)).toBeNull();
  });

  it('use is unusual above twice the highest peak of five weeks, and not at it', () => {
    const busyOnce = (ago: number) => (ago === 5 * WEEK ? 3000 : 10);
    expect(judge(6001, busyOnce)).toBe(6000);
    expect(judge(6000, busyOnce)).toBeNull();
  });

  it('use below the minimum is never unusual, however little the key had before', () => {
    expect(judge(100, () => 1)).toBe(99);
    expect(judge(99, () => 1)).toBeNull();
  });

  it('a busy hour on a Monday is not unusual after a quiet weekend, but the same hour on a Sunday is', () => {
    // At noon, from Monday, which is 0.
    const office = (today: number) => (ago: number) => {
      const weekday = (((today - Math.floor((ago + 12) / DAY)) % 7) + 7) % 7;
      return weekday < 5 ? 400 : 1;
    };
    expect(judge(900, office(0))).toBeNull();
    expect(judge(900, office(6))).toBe(800);
  });

  it('a job that runs an hour earlier or later, as the clocks change, is not unusual', () => {
    for (const shift of [-1, 1]) {
      const nightly = (ago: number) => ((ago + shift) % DAY === 0 ? 500 : 0);
      expect(judge(520, nightly)).toBeNull();
    }
  });

  it('a holiday without use is not unusual, nor is the day after it', () => {
    expect(judge(0, () => 400)).toBeNull();
    expect(judge(420, (ago) => (ago <= DAY ? 0 : 400))).toBeNull();
  });

  it('nothing is unusual for a key that was first used less than fourteen days ago', () => {
    const since = (days: number) => (ago: number) => (ago < days * DAY ? 10 : 0);
    expect(judge(1000, since(13))).toBeNull();
    expect(judge(1000, since(15))).toBe(99);
  });

  it('nothing is unusual for a key that was used on fewer than seven days', () => {
    const onDays = (days: number) => (ago: number) =>
      ago >= 20 * DAY && ago < (20 + days) * DAY ? 10 : 0;
    expect(judge(1000, onDays(6))).toBeNull();
    expect(judge(1000, onDays(7))).toBe(99);
  });

  it('nothing is unusual for a key that was never used before', () => {
    expect(judge(1_000_000, () => 0)).toBeNull();
  });

  it('a key that comes back from a quiet time is compared with its busiest day of the year', () => {
    expect(judge(4000, () => 1, 9000)).toBeNull();
    expect(judge(18_001, () => 1, 9000)).toBe(18_000);
    expect(judge(300, () => 0, 40)).toBe(99);
  });

  it('use that goes on is unusual for a day, and then usual', () => {
    const since = (hours: number) => (ago: number) => (ago <= hours ? 5000 : 100);
    expect(judge(5000, since(23))).toBe(500);
    expect(judge(5000, since(24))).toBeNull();
  });
});

describe('a year of traffic with planted anomalies', () => {
  const keys = [1, 2].flatMap(yearsOfUse);
  const years = keys.map((key) => ({ ...key, alerts: alertsOf(key) }));
  type Year = (typeof years)[number];

  const within = ({ from, hours }: Planted, alert: number) => alert >= from && alert < from + hours;
  const planted = (kind: Planted['kind'], of: (key: KeyYear) => boolean = () => true) => {
    const all = years
      .filter(of)
      .flatMap(({ planted, alerts }) =>
        planted
          .filter((one) => one.kind === kind)
          .map((one) => alerts.some((alert) => within(one, alert))),
      );
    return { all: all.length, found: all.filter((isFound) => isFound).length };
  };
  const falseAlerts = ({ planted, alerts }: Year) =>
    alerts.filter((alert) => !planted.some((one) => within(one, alert))).length;
  const isUneven = ({ shape }: KeyYear) => shape === 'builds' || shape === 'quarterly';

  it('every retry storm and all but one leak of keys with steady use are found', () => {
    const storms = planted('retry storm', (key) => !isUneven(key));
    expect(storms.found).toBe(storms.all);
    // The one of a key that was used on few days before.
    const leaks = planted('leak', (key) => !isUneven(key));
    expect(leaks.all - leaks.found).toBeLessThanOrEqual(1);
    expect(Math.min(storms.all, leaks.all)).toBeGreaterThan(80);
  });

  it('of the leaks and retry storms of all keys nine in ten are found', () => {
    for (const kind of ['leak', 'retry storm'] as const) {
      const { all, found } = planted(kind);
      expect(found / all).toBeGreaterThan(0.9);
    }
  });

  it('what stays below the peaks of a key is not found, by the rule', () => {
    expect(planted('below the peak, by night').found).toBe(0);
    expect(planted('just below').found).toBe(0);
  });

  it('no key with steady use has a false alert in a year, with its weekends, holidays and busy days', () => {
    const wrong = years.filter((key) => !isUneven(key) && falseAlerts(key) > 0);
    expect(wrong.map(({ shape, alerts }) => [shape, alerts])).toEqual([]);
  });

  it('a key whose use is as uneven as chance has less than one false alert a year', () => {
    const uneven = years.filter(isUneven);
    const wrong = uneven.reduce((sum, key) => sum + falseAlerts(key), 0);
    expect(uneven).toHaveLength(16);
    expect(wrong).toBeLessThan(uneven.length);
  });
});
