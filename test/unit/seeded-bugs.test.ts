import { readFileSync } from 'node:fs';
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
