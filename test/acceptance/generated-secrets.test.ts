import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { openEmbedded } from '../../src/db/open.ts';
import { dataFolder } from '../support/data-folder.ts';
import { postgresPid } from '../support/program.ts';

it.each([
  ['root-key', ''],
  ['root-key', 'x'],
  ['secret', ''],
  ['secret', '\n'],
])(
  'a start with a file %s that holds %j is refused in one sentence, and leaves no database behind',
  async (name, text) => {
    const folder = await dataFolder();
    await writeFile(join(folder, name), text);
    const stop = new AbortController().signal;
    const opening = openEmbedded(readConfig({ KEYWARD_DATA_DIR: folder }), stop);
    await expect(opening).rejects.toThrow(/must hold 32 to 256 characters of A-Za-z0-9_-; restore/);
    expect(await postgresPid(folder)).toBeUndefined();
  },
);
