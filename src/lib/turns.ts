import { setImmediate as nextImmediate } from 'node:timers/promises';

/** How long work on a list holds the event loop before everything else gets its turn. */
const TURN_MS = 2;

/** Those who wait for their turn are let in one by one, each time around the loop. */
export function turnQueue(): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return () => {
    last = last.then(() => nextImmediate());
    return last;
  };
}

const nextTurn = turnQueue();

/** Asked between two steps of long work: waits for another turn of the loop once this one is used up. */
export function turnKeeper(): () => Promise<void> | undefined {
  let endsAt = performance.now() + TURN_MS;
  return () => {
    if (performance.now() < endsAt) return undefined;
    return nextTurn().then(() => {
      endsAt = performance.now() + TURN_MS;
    });
  };
}

/** Maps a list of any length without holding the event loop for longer than a turn and one item. */
export async function mapInTurns<Item, Result>(
  items: readonly Item[],
  map: (item: Item, index: number) => Result,
): Promise<Result[]> {
  const results: Result[] = [];
  const turn = turnKeeper();
  for (const [index, item] of items.entries()) {
    const used = turn();
    if (used) await used;
    results.push(map(item, index));
  }
  return results;
}

/** What a part of a list may have at most; an item that is larger than that is a part of its own. */
export interface PartBounds {
  items: number;
  size?: number;
}

/** A list cut into parts that are bounded, for work that takes a whole part at once. */
export function partsOf<Item>(
  items: readonly Item[],
  { items: maxItems, size: maxSize = Number.POSITIVE_INFINITY }: PartBounds,
  sizeOf: (item: Item) => number = () => 0,
): Item[][] {
  const parts: Item[][] = [];
  let part: Item[] = [];
  let size = 0;
  for (const item of items) {
    const own = sizeOf(item);
    if (part.length > 0 && (part.length >= maxItems || size + own > maxSize)) {
      parts.push(part);
      part = [];
      size = 0;
    }
    part.push(item);
    size += own;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
