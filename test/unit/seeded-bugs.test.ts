import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { applyEdit, SEEDED_BUGS } from '../history/seeded-bugs.ts';

const ROOT = join(import.meta.dirname, '../..');
const edits = Object.entries(SEEDED_BUGS).flatMap(([name, bug]) =>
  bug.edits.map((edit) => ({ name, ...edit })),
);

it.each(edits)(
  'every seeded bug of the history checker finds its place exactly once: $name in $file',
  (edit) => {
    const text = readFileSync(join(ROOT, edit.file), 'utf8');
    expect(applyEdit(text, edit)).not.toBe(text);
  },
);

it.each(edits.filter(({ file }) => file.startsWith('migrations/')))(
  'no later migration has another version of the place of a seeded bug, so that the bug has an effect: $name in $file',
  ({ file, find }) => {
    const migrations = readdirSync(join(ROOT, 'migrations')).filter((name) =>
      name.endsWith('.sql'),
    );
    const later = migrations.filter((name) => `migrations/${name}` > file);
    const holders = later.filter((name) =>
      readFileSync(join(ROOT, 'migrations', name), 'utf8').includes(find),
    );
    expect(holders).toEqual([]);
  },
);
