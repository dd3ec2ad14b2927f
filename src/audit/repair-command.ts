import { type CommandContext, withDatabase } from '../db/open-for-command.ts';
import { defineCommand } from '../lib/command.ts';
import { requireKeyedAsBefore } from './append.ts';
import { logsFor } from './command-logs.ts';
import { operatorOrigin } from './operator.ts';
import { repairLog } from './repair.ts';

export const auditRepairCommand = defineCommand({
  name: 'audit repair',
  summary: 'continue audit logs that do not end where their heads say; recorded in the logs',
  options: {
    workspace: { type: 'string', value: 'ID', description: 'only the log of this workspace' },
  },
  run: async ({ options }, context: CommandContext) => {
    await withDatabase(context, async ({ orm, pepper }) => {
      const origin = operatorOrigin();
      for (const log of await logsFor(orm, options.workspace)) {
        await requireKeyedAsBefore(orm, log, pepper);
        const end = await repairLog(orm, log, origin, pepper);
        const outcome = end
          ? `repaired, goes on behind entry ${end.sequence}`
          : 'nothing to repair';
        process.stdout.write(`${log}: ${outcome}\n`);
      }
    });
    return 0;
  },
});
