import { createHash } from 'node:crypto';

/** The same seed chooses the same of the same. */
export function sampleOf<T>(all: readonly T[], size: number | null, seed: number): T[] {
  if (size === null) return [...all];
  const ranked = all.map((item, index) => ({ item, index, rank: rankOf(index, seed) }));
  const chosen = ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1)).slice(0, size);
  return chosen.sort((a, b) => a.index - b.index).map(({ item }) => item);
}

function rankOf(index: number, seed: number): string {
  return createHash('sha256').update(`${seed} ${index}`).digest('hex');
}
