import { readFile, writeFile } from 'node:fs/promises';
import { openapiDocument } from './document.ts';
import { eventsTable } from './events-page.ts';
import { permissionTables } from './permissions-page.ts';
import { referenceTables } from './reference-pages.ts';

/** Writes what is made from the code; with `--check` it only says whether that is up to date. */
const FILE = new URL('openapi.json', import.meta.url);
const PERMISSIONS = new URL('../docs/permissions.md', import.meta.url);
const EVENTS = new URL('../docs/events.md', import.meta.url);
const MARK = '<!-- What follows is made by `npm run openapi`. -->\n';

const document = await openapiDocument();
await settle(FILE, `${JSON.stringify(document, null, 2)}\n`);
await settlePage(PERMISSIONS, permissionTables({ ...document }));
await settlePage(EVENTS, eventsTable());
for (const [name, made] of Object.entries(referenceTables(document))) {
  await settlePage(new URL(`../docs/reference/${name}.md`, import.meta.url), made);
}

async function settlePage(page: URL, made: string): Promise<void> {
  const [introduction = ''] = (await readFile(page, 'utf8')).split(MARK);
  await settle(page, `${introduction}${MARK}\n${made}`);
}

async function settle(file: URL, current: string): Promise<void> {
  if (!process.argv.includes('--check')) return writeFile(file, current);
  const committed = await readFile(file, 'utf8').catch(() => '');
  if (committed === current) return;
  process.stderr.write(`${file.pathname} is not what the code says: npm run openapi\n`);
  process.exitCode = 1;
}
