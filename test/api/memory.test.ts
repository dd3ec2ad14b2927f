import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { memoryBudget } from '../../src/lib/memory-budget.ts';
import { createTestDatabase } from '../support/database.ts';
import { launch } from '../support/instance.ts';

const MIB = 1024 * 1024;
const DOCUMENT = new URL('../../docs/memory.md', import.meta.url);
/** What is held outside of the heap. */
const OUTSIDE = new Set(['unsent_answers', 'management_connections', 'verification_connections']);

/** What each bound allows at most in a heap of this size, in bytes. */
async function boundsOf(databaseUrl: string, heap: number): Promise<Map<string, number>> {
  const memory = memoryBudget(heap);
  const instance = await launch(databaseUrl, { memory, maxInFlight: memory.requests });
  const { text } = await instance.call('GET', '/metrics');
  await instance.stop();
  const found = text.matchAll(/^keyward_bound_bytes{bound="(\w+)"} (\d+)$/gm);
  return new Map([...found].map(([, name = '', bytes]) => [name, Number(bytes)]));
}

const shown = (bytes = 0) => (bytes / MIB).toFixed(1);
const sum = (bounds: Map<string, number>) =>
  [...bounds].reduce((total, [name, bytes]) => total + (OUTSIDE.has(name) ? 0 : bytes), 0);

it('the documented memory of an instance is the sum of its bounds', async () => {
  const database = await createTestDatabase();
  const [small, large] = [
    await boundsOf(database.url, 256 * MIB),
    await boundsOf(database.url, 4096 * MIB),
  ];
  await database.drop();
  const rows = [...small.keys()].sort().map((name) => {
    const place = OUTSIDE.has(name) ? 'outside' : 'heap';
    return `| `.concat(
      [`\`${name}\``, place, shown(small.get(name)), shown(large.get(name))].join(' | '),
      ' |',
    );
  });
  const total = `| sum on the heap | | ${shown(sum(small))} | ${shown(sum(large))} |`;
  expect(readFileSync(DOCUMENT, 'utf8')).toContain([...rows, total].join('\n'));
  // The program itself takes about 60 MiB.
  expect(sum(small)).toBeLessThan((256 - 60) * MIB);
});
