import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type KeysetList, readPage } from '../../src/http/page.ts';

/** A list of the numbers below a count, in their order. */
function numbersBelow(count: number): KeysetList<number> {
  return {
    name: 'numbers',
    read: async (after, limit) => {
      const from = after === null ? 0 : Number(after.id) + 1;
      return Array.from({ length: count - from }, (_, index) => from + index).slice(0, limit);
    },
    positionOf: (number) => ({ value: null, id: String(number) }),
  };
}

async function pagesOf(list: KeysetList<number>, limit: number): Promise<number[][]> {
  const pages: number[][] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await readPage({ limit, ...(cursor && { cursor }) }, list);
    pages.push(page.rows);
    cursor = page.nextCursor;
  }
  return pages;
}

describe('pages of a list', () => {
  it('following the cursors yields every row once, on pages that are full except for the last', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(40), fc.integer({ min: 1, max: 12 }), async (count, limit) => {
        const pages = await pagesOf(numbersBelow(count), limit);
        expect(pages.flat()).toEqual(Array.from({ length: count }, (_, index) => index));
        expect(pages.slice(0, -1).every(({ length }) => length === limit)).toBe(true);
        expect(pages).toHaveLength(Math.max(1, Math.ceil(count / limit)));
      }),
    );
  });

  it('a page ends before its rows are more than 1 MiB, has at least one, and is followed by the rest', async () => {
    const sized = (sizes: readonly number[]): KeysetList<number> => ({
      ...numbersBelow(sizes.length),
      measure: async (after, limit) => {
        const from = after === null ? 0 : Number(after.id) + 1;
        return sizes.slice(from, from + limit);
      },
    });
    const half = 524_288;
    const list = sized([half, half, 1, 1, 5 * half, 1]);
    expect(await pagesOf(list, 10)).toEqual([[0, 1], [2, 3], [4], [5]]);
    expect(await pagesOf(list, 1)).toEqual([[0], [1], [2], [3], [4], [5]]);
    expect(await pagesOf(sized([]), 10)).toEqual([[]]);
  });

  it('a cursor of another list is refused', async () => {
    const { nextCursor } = await readPage({ limit: 1 }, numbersBelow(2));
    const other = { ...numbersBelow(2), name: 'others' };
    await expect(readPage({ limit: 1, cursor: String(nextCursor) }, other)).rejects.toMatchObject({
      code: 'INVALID_CURSOR',
    });
  });
});
