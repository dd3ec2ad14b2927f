import { describe, expect, it } from 'vitest';
import { Clock } from '../../src/lib/clock.ts';

describe('the clock', () => {
  it("the clock shows the database's time, however wrong the system's own is", () => {
    const clock = new Clock();
    const reading = Date.UTC(2031, 4, 5);
    clock.sync(reading);
    expect(clock.now()).toBeGreaterThanOrEqual(reading);
    expect(clock.now()).toBeLessThan(reading + 60_000);
  });

  it('the clock takes its first reading even if its process was ahead of the database', () => {
    const clock = new Clock();
    const ahead = clock.now();
    clock.sync(ahead - 86_400_000);
    expect(clock.now()).toBeLessThan(ahead);
  });

  it('the clock does not step back when a reading arrives late, and runs on once it has caught up', () => {
    const clock = new Clock();
    clock.sync(10_000);
    const before = clock.now();
    clock.sync(5_000);
    expect(clock.now()).toBeGreaterThanOrEqual(before);
    expect(clock.now()).toBeLessThan(before + 5_000);
    const ahead = before + 60_000;
    clock.sync(ahead);
    expect(clock.now()).toBeGreaterThanOrEqual(ahead);
  });

  it('the clock never runs backwards between two readings', () => {
    const clock = new Clock();
    clock.sync(0);
    const readings = Array.from({ length: 1000 }, () => clock.now());
    expect(readings).toEqual([...readings].sort((a, b) => a - b));
  });

  it('the offset moves the clock, at once and after each reading of the database', () => {
    let offset = 0;
    const clock = new Clock(() => offset);
    clock.sync(1000);
    offset = 3_600_000;
    expect(clock.now()).toBeGreaterThanOrEqual(3_601_000);
    clock.sync(2000);
    expect(clock.now()).toBeGreaterThanOrEqual(3_602_000);
  });

  it('the clock as a date is in whole milliseconds, and never ahead of now', () => {
    const clock = new Clock();
    clock.sync(1_900_000_000_000.9);
    const date = clock.date().getTime();
    expect(Number.isInteger(date)).toBe(true);
    expect(date).toBeLessThanOrEqual(clock.now());
  });
});
