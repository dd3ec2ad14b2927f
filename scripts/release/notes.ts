/** A version, as tags without `v` have it: 1.2.3, or 1.2.3-rc.1. */
const TAG = /^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/;
const HEADING = /^## \[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?$/;

export interface Section {
  version: string;
  /** The day of the release; null where none is given. */
  date: string | null;
  text: string;
}

/** The sections of a changelog in the form of Keep a Changelog, as they stand. */
export function sectionsOf(changelog: string): Section[] {
  return changelog
    .split(/^(?=## )/m)
    .slice(1)
    .map((section) => {
      const [first = '', ...lines] = section.split('\n');
      const [, version, date = null] = HEADING.exec(first) ?? [];
      if (version === undefined)
        throw new Error(`CHANGELOG.md: not the heading of a version: ${first}`);
      return { version, date, text: lines.join('\n').trim() };
    });
}

/**
 * What CHANGELOG.md says of the release of a tag. Throws unless it has that version with its date, and
 * each package that is released with it has it too.
 */
export function releaseNotes(
  tag: string,
  changelog: string,
  packages: Readonly<Record<string, string>>,
): string {
  const [, version] = TAG.exec(tag) ?? [];
  if (version === undefined) throw new Error(`${tag} is no tag of a release such as v1.2.3`);
  for (const [file, has] of Object.entries(packages)) {
    if (has !== version) throw new Error(`${file} has version ${has}, not ${version}`);
  }
  const section = sectionsOf(changelog).find((one) => one.version === version);
  if (!section) throw new Error(`CHANGELOG.md has no section [${version}]`);
  if (section.date === null) throw new Error(`CHANGELOG.md has no date for [${version}]`);
  if (section.text === '') throw new Error(`CHANGELOG.md says nothing of [${version}]`);
  return section.text;
}
