import type { Pepper } from '../domain/pepper.ts';
import { chainHash, FIRST_HEAD, type Head } from './chain.ts';
import { BrokenChain, type ChainCheckOptions, ChainWalk } from './chain-walk.ts';
import type { AuditCheckResult } from './check.ts';
import type { CopiedEntry, Copy } from './copy.ts';

export type CopyCheckOptions = Omit<ChainCheckOptions, 'checkpoint'>;

/** Checks the copy of one log, from its first entry to its last, whether or not that is all of the log. */
export function checkCopy(copy: Copy, options: CopyCheckOptions): AuditCheckResult {
  const { workspaceId } = options;
  const entries = [...(copy.get(workspaceId) ?? [])].sort(([a], [b]) => a - b);
  const [first = 1] = entries[0] ?? [];
  const start = startOf(entries[0]?.[1], first, options.expected);
  const walk = new ChainWalk({ ...options, checkpoint: start });
  const toResult = (problem: string | null, notes: string[]): AuditCheckResult => {
    const { last, keyedBy } = walk;
    return { workspaceId, problem, entries: entries.length, first, last, keyedBy, notes };
  };
  try {
    const unproven = start !== null && start.sequence === first;
    for (const [sequence, same] of unproven ? entries.slice(1) : entries) {
      walk.add({ workspaceId, ...toRow(walk.last, requireOne(sequence, same), options) });
    }
    const note = `entry ${first} is taken as the copy has it: it begins there`;
    return toResult(null, [...(unproven ? [note] : []), ...walk.endOfCopy()]);
  } catch (error) {
    if (!(error instanceof BrokenChain)) throw error;
    return toResult(error.message, []);
  }
}

/** What the first entry is linked to: the start of the log, a head that was kept, or else the entry itself. */
function startOf(
  entries: readonly CopiedEntry[] | undefined,
  first: number,
  expected: readonly Head[],
): Head | null {
  if (first === FIRST_HEAD.sequence + 1) return null;
  const kept = expected.find(({ sequence }) => sequence === first - 1);
  if (kept) return kept;
  const [entry] = entries ?? [];
  return entry ? { sequence: entry.sequence, hash: entry.hash } : null;
}

function requireOne(sequence: number, [entry, other]: readonly CopiedEntry[]): CopiedEntry {
  if (entry && !other) return entry;
  throw new BrokenChain(`entry ${sequence} is in the copy more than once, and differs`);
}

/** With the secret that its hash was keyed with: the one that makes the same hash. */
function toRow(
  previous: Head,
  { sequence, hash, payload }: CopiedEntry,
  { peppers }: Pick<ChainCheckOptions, 'peppers'>,
) {
  const makes = (pepper: Pepper | null) => chainHash(previous.hash, payload, pepper) === hash;
  if (makes(null)) return { sequence, hash, payload, pepperId: null };
  const [any] = peppers.keys();
  if (any === undefined && sequence === previous.sequence + 1) {
    throw new BrokenChain(`entry ${sequence} was changed, or its log is keyed: set KEYWARD_SECRET`);
  }
  // If none does, the walk finds that the entry was changed.
  const keyed = [...peppers.values()].find(makes);
  return { sequence, hash, payload, pepperId: keyed?.id ?? any ?? null };
}
