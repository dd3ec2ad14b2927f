import type { Orm, Transaction } from '../db/database.ts';
import type { Head } from './chain.ts';
import { BrokenChain, type ChainCheckOptions, ChainWalk } from './chain-walk.ts';
import { eventPages, findCheckpoint, findHead } from './store.ts';

const PAGE_SIZE = 500;

export interface AuditCheckResult {
  workspaceId: string;
  /** Where the log differs from what was written; null: intact. */
  problem: string | null;
  /** How many entries were checked. */
  entries: number;
  /** The sequence number of the first entry that retention left. */
  first: number;
  last: Head;
  /** Names the KEYWARD_SECRET of the newest entry. */
  keyedBy: string | null;
  /** What could not be compared. */
  notes: string[];
}

export type AuditCheckOptions = Omit<ChainCheckOptions, 'checkpoint'> & {
  /** Called after each page with the number of entries checked so far. */
  onProgress: (entries: number) => void;
};

/** Checks one log from its start to its head, page by page, all from one snapshot. */
export function checkLog(orm: Orm, options: AuditCheckOptions): Promise<AuditCheckResult> {
  return orm.transaction((tx) => checkInSnapshot(tx, options), {
    isolationLevel: 'repeatable read',
    accessMode: 'read only',
  });
}

async function checkInSnapshot(
  tx: Transaction,
  options: AuditCheckOptions,
): Promise<AuditCheckResult> {
  const { workspaceId, onProgress } = options;
  const checkpoint = await findCheckpoint(tx, workspaceId);
  const walk = new ChainWalk({ ...options, checkpoint });
  const toResult = (problem: string | null, notes: string[]): AuditCheckResult => {
    const { entries, last, keyedBy } = walk;
    const first = (checkpoint?.sequence ?? 0) + 1;
    return { workspaceId, problem, entries, first, last, keyedBy, notes };
  };
  try {
    for await (const page of eventPages(tx, workspaceId, PAGE_SIZE)) {
      for (const row of page) walk.add(row);
      onProgress(walk.entries);
    }
    return toResult(null, walk.end(await findHead(tx, workspaceId)));
  } catch (error) {
    if (!(error instanceof BrokenChain)) throw error;
    return toResult(error.message, []);
  }
}
