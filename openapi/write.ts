import { readFile, writeFile } from 'node:fs/promises';
import { openapiDocument } from './document.ts';

/** Writes openapi.json; with `--check` it only says whether the committed one is up to date. */
const FILE = new URL('openapi.json', import.meta.url);

const current = `${JSON.stringify(await openapiDocument(), null, 2)}\n`;
if (process.argv.includes('--check')) {
  const committed = await readFile(FILE, 'utf8').catch(() => '');
  if (committed !== current) {
    process.stderr.write('openapi/openapi.json is not what the routes say: npm run openapi\n');
    process.exitCode = 1;
  }
} else {
  await writeFile(FILE, current);
}
