import { existsSync, readFileSync } from 'node:fs';
import { releaseNotes } from './release/notes.ts';

/** Prints what CHANGELOG.md says of the release of a tag: `node scripts/release-notes.ts v1.2.3`. */
const PACKAGES = ['package.json', 'clients/typescript/package.json'];

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const versions = PACKAGES.filter((path) => existsSync(new URL(`../${path}`, import.meta.url))).map(
  (path): [string, string] => [path, JSON.parse(read(path)).version],
);

try {
  const notes = releaseNotes(
    process.argv[2] ?? '',
    read('CHANGELOG.md'),
    Object.fromEntries(versions),
  );
  process.stdout.write(`${notes}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
