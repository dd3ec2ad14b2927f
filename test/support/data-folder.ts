import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { openEmbedded } from '../../src/db/open.ts';
import { temporaryFolder } from './folder.ts';

/** An empty folder for an embedded database; removed when the test ends. */
export function emptyDataFolder(): Promise<string> {
  return temporaryFolder('keyward-acceptance-');
}

/** A folder whose embedded database has been started before, which saves half of a first start. */
export async function dataFolder(): Promise<string> {
  const folder = await emptyDataFolder();
  await fillDataFolder(folder);
  return folder;
}

export async function fillDataFolder(folder: string): Promise<void> {
  template ??= prepare();
  // Keeps owners and modes, which Postgres checks.
  await promisify(execFile)('cp', ['-a', `${await template}/.`, folder]);
}

/** Made once by each worker. */
let template: Promise<string> | undefined;

async function prepare(): Promise<string> {
  const folder = await mkdtemp(join(inject('scratchFolder'), 'data-'));
  const stop = new AbortController().signal;
  const database = await openEmbedded(readConfig({ KEYWARD_DATA_DIR: folder }), stop);
  await database.close();
  return folder;
}
