import { spawnSync } from 'node:child_process';
import { copyFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Compiles `src` into `dist`, with the types that are generated from Keyward's OpenAPI document. */
const here = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

await rm(here('dist'), { recursive: true, force: true });
await copyFile(here('../../openapi/types.d.ts'), here('src/openapi.ts'));
const { status } = spawnSync(here('node_modules/.bin/tsc'), ['--project', here('.')], {
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
