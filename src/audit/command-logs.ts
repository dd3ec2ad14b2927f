import type { Orm } from '../db/database.ts';
import { DEFAULT_WORKSPACE } from '../domain/caller.ts';
import { UsageError } from '../lib/command-line.ts';
import { listLogs } from './store.ts';

/** The logs that a command is about: all, or the one named. A misspelt one would look intact. */
export async function logsFor(orm: Orm, workspaceId: string | undefined): Promise<string[]> {
  const logs = await listLogs(orm);
  if (workspaceId === undefined) return logs;
  if (workspaceId !== DEFAULT_WORKSPACE && !logs.includes(workspaceId)) {
    throw new UsageError(`--workspace: there is no audit log of ${workspaceId}.`);
  }
  return [workspaceId];
}
