import { defineCommand } from '../lib/command.ts';
import { UsageError } from '../lib/command-line.ts';
import { untilStopped } from '../lib/stop.ts';
import { migrate } from './migrate.ts';
import type { CommandContext } from './open-for-command.ts';
import { explainDatabase } from './refusals.ts';

export const migrateCommand = defineCommand({
  name: 'migrate',
  summary: 'bring the schema of DATABASE_URL up to date, then exit',
  options: {},
  run: async (_input, { settings, stop }: CommandContext) => {
    const { databaseUrl } = settings();
    if (databaseUrl === undefined) {
      throw new UsageError('Set DATABASE_URL; an embedded database is migrated when it starts.');
    }
    await untilStopped(stop, migrate(databaseUrl)).catch((error) => {
      throw explainDatabase(error);
    });
    process.stdout.write('The schema is up to date.\n');
    return 0;
  },
});
