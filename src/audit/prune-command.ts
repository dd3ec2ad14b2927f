import type { Orm } from '../db/database.ts';
import { type CommandContext, withDatabase } from '../db/open-for-command.ts';
import type { Pepper } from '../domain/pepper.ts';
import { defineCommand } from '../lib/command.ts';
import { type OptionValues, UsageError } from '../lib/command-line.ts';
import { requireKeyedAsBefore } from './append.ts';
import { logsFor } from './command-logs.ts';
import { operatorOrigin } from './operator.ts';
import { pruneLog } from './retention.ts';

const OPTIONS = {
  before: {
    type: 'string',
    value: 'TIME',
    description: 'required: entries older than this are dropped',
  },
  workspace: { type: 'string', value: 'ID', description: 'only the log of this workspace' },
} as const;

export const auditPruneCommand = defineCommand({
  name: 'audit prune',
  summary: 'drop the oldest entries of the audit logs, and leave a checkpoint',
  options: OPTIONS,
  run: async ({ options }, context: CommandContext) => {
    const request = readPruneOptions(options);
    await withDatabase(context, ({ orm, pepper }) => pruneLogs(orm, pepper, request));
    return 0;
  },
});

interface PruneRequest {
  workspaceId: string | undefined;
  before: Date;
}

const TIME =
  /^\d{4}-\d{2}-\d{2}(T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d{2}:[0-5]\d))?$/i;

export function readPruneOptions(options: OptionValues<typeof OPTIONS>): PruneRequest {
  const { workspace, before = '' } = options;
  if (!TIME.test(before) || !isRealDay(before.slice(0, 10))) {
    throw new UsageError('--before TIME is needed, such as 2026-01-31 or 2026-01-31T12:00:00Z.');
  }
  return { workspaceId: workspace, before: new Date(before) };
}

/** `Date` reads 30 February as 2 March, which is too late for a deletion. */
function isRealDay(day: string): boolean {
  const time = new Date(day);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(day);
}

/** Prunes one log or all, each in a transaction of its own. */
async function pruneLogs(
  orm: Orm,
  pepper: Pepper | null,
  { workspaceId, before }: PruneRequest,
): Promise<void> {
  const origin = operatorOrigin();
  for (const log of await logsFor(orm, workspaceId)) {
    await requireKeyedAsBefore(orm, log, pepper);
    const cut = await pruneLog(orm, log, before, origin, pepper);
    const outcome = cut
      ? `dropped ${cut.dropped} entries, up to ${cut.checkpoint.sequence}:${cut.checkpoint.hash}`
      : 'nothing to drop';
    process.stdout.write(`${log}: ${outcome}\n`);
  }
}
