import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';
import { COUNTER_BYTES } from '../../src/lib/memory-budget.ts';
import { CLIENTS } from '../support/counter-heap.ts';

const MEASURE = fileURLToPath(new URL('../support/counter-heap.ts', import.meta.url));
let measured: Record<string, number>;

beforeAll(async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', MEASURE]);
  measured = JSON.parse(stdout);
});

it.each(Object.keys(CLIENTS))(
  'a counter takes no more heap than its bound says where %s',
  (client) => {
    expect(measured[client]).toBeLessThan(COUNTER_BYTES);
    expect(measured[client]).toBeGreaterThan(COUNTER_BYTES / 4);
  },
);
