import { expect, it, onTestFinished, vi } from 'vitest';
import { SuspectRefs } from '../../src/credentials/suspect-refs.ts';

const refs = () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  return new SuspectRefs();
};

it('a fourth string of a ref within a minute is one too many, until the ref is forgotten', () => {
  const suspects = refs();
  for (let i = 0; i < 3; i++) expect(suspects.attempt('a')).toBe(false);
  expect(suspects.attempt('a')).toBe(true);
  expect(suspects.attempt('b')).toBe(false);
});

it('a string that was right leaves nothing of its ref behind, and so begins no minute', () => {
  const suspects = refs();
  suspects.attempt('a');
  suspects.withdraw('a');
  expect(suspects.resourceLimit.used()).toBe(0);
  vi.advanceTimersByTime(59_000);
  suspects.attempt('a');
  vi.advanceTimersByTime(2000);
  for (let i = 0; i < 2; i++) expect(suspects.attempt('a')).toBe(false);
  expect(suspects.attempt('a')).toBe(true);
});

it('a string that was right among others takes its own attempt back alone', () => {
  const suspects = refs();
  for (let i = 0; i < 2; i++) suspects.attempt('a');
  suspects.withdraw('a');
  for (let i = 0; i < 2; i++) expect(suspects.attempt('a')).toBe(false);
  expect(suspects.attempt('a')).toBe(true);
});
