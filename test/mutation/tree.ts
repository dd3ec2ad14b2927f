import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { applied, type Edit } from './record.ts';

const ROOT = join(import.meta.dirname, '../..');
const PARTS = ['bin', 'src', 'test', 'migrations', 'openapi', 'package.json'];
const CONFIGURATIONS = ['tsconfig.json', 'vitest.config.ts'];
const LEFT_OUT = /\/(node_modules|results)$/;

/** For the compiler: the program without its tests. */
export const SOURCES_ONLY = 'tsconfig.sources.json';

/** A copy of the program and its tests, to be changed at will. */
export async function copyTree(folder: string): Promise<string> {
  const filter = (path: string) => !LEFT_OUT.test(path);
  for (const part of [...PARTS, ...CONFIGURATIONS]) {
    await cp(join(ROOT, part), join(folder, part), { recursive: true, filter });
  }
  const project = { extends: './tsconfig.json', include: ['src'] };
  await writeFile(join(folder, SOURCES_ONLY), JSON.stringify(project));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Does something while an edit stands in a copy. */
export async function during<T>(
  tree: string,
  edit: Edit,
  act: (path: string) => Promise<T>,
): Promise<T> {
  const path = join(tree, edit.file);
  const text = await readFile(path, 'utf8');
  await writeFile(path, applied(text, edit));
  try {
    return await act(path);
  } finally {
    await writeFile(path, text);
  }
}
