import { expect, it } from 'vitest';
import { type KeysetList, MAX_PAGE_BYTES, readPage } from '../../src/http/page.ts';

/** A list of rows of these bytes, which records how many were measured. */
function listOf(sizes: readonly number[]) {
  const measured: number[] = [];
  const list: KeysetList<number> = {
    name: 'rows',
    read: async (_after, limit) => sizes.map((_, row) => row).slice(0, limit),
    measure: async (_after, limit) => {
      measured.push(limit);
      return sizes.slice(0, limit);
    },
    positionOf: (row) => ({ value: `${row}`, id: `${row}` }),
  };
  return { list, measured };
}
const rowsOf = (count: number, bytes: number) => Array.from({ length: count }, () => bytes);

it('of a list of the largest keys no more are measured than fill a page', async () => {
  const { list, measured } = listOf(rowsOf(500, 60_000));
  const { rows, nextCursor } = await readPage({ limit: 200 }, list);
  expect(rows).toHaveLength(Math.floor(MAX_PAGE_BYTES / 60_000));
  expect(nextCursor).not.toBeNull();
  expect(measured).toEqual([20]);
});

it('rows that are small fill their page to its limit, however often they are measured', async () => {
  for (const limit of [1, 19, 20, 79, 80, 200]) {
    const { list, measured } = listOf(rowsOf(500, 100));
    const { rows, nextCursor } = await readPage({ limit }, list);
    expect(rows).toHaveLength(limit);
    expect(nextCursor).not.toBeNull();
    expect(measured.at(-1)).toBe(limit + 1);
  }
});

it('a page ends before the row that exceeds its bytes, wherever that stands, and has one row at least', async () => {
  for (const at of [0, 1, 19, 20, 21, 79, 80, 150]) {
    const sizes = rowsOf(300, 100).with(at, MAX_PAGE_BYTES);
    const { rows } = await readPage({ limit: 200 }, listOf(sizes).list);
    expect(rows).toHaveLength(Math.max(1, at));
  }
});

it('the last page has what is left, and no cursor', async () => {
  for (const count of [0, 1, 19, 20, 21, 80, 200]) {
    const { list } = listOf(rowsOf(count, 100));
    expect(await readPage({ limit: 200 }, list)).toMatchObject({ nextCursor: null });
    expect((await readPage({ limit: 200 }, list)).rows).toHaveLength(count);
  }
});
