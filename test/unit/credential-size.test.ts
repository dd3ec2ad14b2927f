import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';
import { type HeapGrowth, KINDS } from '../support/credential-heap.ts';

const MEASURE = fileURLToPath(new URL('../support/credential-heap.ts', import.meta.url));
let measured: Record<string, HeapGrowth>;

beforeAll(async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', MEASURE]);
  measured = JSON.parse(stdout);
});

it.each(KINDS.map(([kind]) => kind))(
  '%s take no more heap than their cache counts, and not much less',
  (kind) => {
    const { grown = 0, estimated = 0 } = measured[kind] ?? {};
    expect(grown).toBeLessThan(estimated);
    expect(grown).toBeGreaterThan(estimated / 5);
  },
);
