import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
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
  ['secret', ' '.repeat(40)],
])(
  'a start with a file %s that holds %j is refused in one sentence, and leaves no database behind',
  async (name, text) => {
    const folder = await dataFolder();
    await writeFile(join(folder, name), text, { mode: 0o600 });
    const stop = new AbortController().signal;
    const opening = openEmbedded(readConfig({ KEYWARD_DATA_DIR: folder }), stop);
    await expect(opening).rejects.toThrow(/must hold 32 to 256 characters of A-Za-z0-9_-; restore/);
    expect(await postgresPid(folder)).toBeUndefined();
  },
);

const SECRET = 'a-secret-of-these-tests-0123456789abcdef';

it('a start with a secret that other users can read, that is a link or a directory is refused in one sentence', async () => {
  const open = async (prepare: (path: string) => Promise<void>) => {
    const folder = await dataFolder();
    await rm(join(folder, 'root-key'), { recursive: true, force: true });
    await prepare(join(folder, 'root-key'));
    const stop = new AbortController().signal;
    await openEmbedded(readConfig({ KEYWARD_DATA_DIR: folder }), stop);
  };
  for (const mode of [0o644, 0o640, 0o604]) {
    const opening = open(async (path) => {
      await writeFile(path, SECRET);
      await chmod(path, mode);
    });
    await expect(opening).rejects.toThrow(/root-key can be read by other users; .* chmod 600/);
  }
  await expect(open((path) => mkdir(path).then(() => {}))).rejects.toThrow(/must be a file/);
  const linked = open(async (path) => {
    await writeFile(`${path}-elsewhere`, SECRET, { mode: 0o600 });
    await symlink(`${path}-elsewhere`, path);
  });
  await expect(linked).rejects.toThrow(/must be a file .* no link/);
});
