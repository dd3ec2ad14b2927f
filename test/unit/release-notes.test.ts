import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { releaseNotes, sectionsOf } from '../../scripts/release/notes.ts';

const CHANGELOG = `# Changelog

## [Unreleased]

### Added

- What comes next.

## [1.1.0] - 2026-12-24

### Fixed

- What was wrong.

## [1.0.0]

- The first.
`;
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

it('the notes of a release are the section of its version in the changelog, and nothing else', () => {
  const notes = releaseNotes('v1.1.0', CHANGELOG, { 'package.json': '1.1.0' });
  expect(notes).toBe('### Fixed\n\n- What was wrong.');
});

it.each([
  ['1.1.0', '1.1.0', 'no tag of a release'],
  ['v1.1', '1.1', 'no tag of a release'],
  ['v1.1.0', '1.0.9', 'package.json has version 1.0.9, not 1.1.0'],
  ['v1.2.0', '1.2.0', 'no section [1.2.0]'],
  ['v1.0.0', '1.0.0', 'no date for [1.0.0]'],
])('the tag %s with version %s in package.json is no release: %s', (tag, version, why) => {
  expect(() => releaseNotes(tag, CHANGELOG, { 'package.json': version })).toThrow(why);
});

it('CHANGELOG.md begins with what is unreleased, and each release below it has its date, the newest first', () => {
  const [first, ...releases] = sectionsOf(read('CHANGELOG.md'));
  expect(first).toMatchObject({ version: 'Unreleased', date: null });
  const dates = releases.map(({ version, date }) => date ?? `${version} has none`);
  expect(dates).toEqual(
    [...dates]
      .filter((date) => /^\d{4}-\d\d-\d\d$/.test(date))
      .sort()
      .reverse(),
  );
});

it('CHANGELOG.md groups what it says under the headings of Keep a Changelog', () => {
  const headings = sectionsOf(read('CHANGELOG.md')).flatMap(({ text }) => text.match(/^### .*$/gm));
  const known = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'];
  expect(headings.filter((one) => !known.includes(one?.slice(4) ?? ''))).toEqual([]);
});
