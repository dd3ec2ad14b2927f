import { defineCommand } from '../lib/command.ts';
import { UsageError } from '../lib/command-line.ts';
import { applyGrants, grantStatements } from './grants.ts';
import { type CommandContext, withDatabase } from './open-for-command.ts';

const LONGEST_ROLE = 63;

export const grantsCommand = defineCommand({
  name: 'grants',
  summary: 'print the SQL that gives a database role what the service needs, and no more',
  argument: { name: 'ROLE', description: 'the role of the service, which exists already' },
  options: {
    apply: {
      type: 'boolean',
      description: 'runs that SQL in DATABASE_URL instead, as the owner of the tables',
    },
  },
  run: async ({ argument: role, options }, context: CommandContext) => {
    if (role === '' || Buffer.byteLength(role) > LONGEST_ROLE || role.includes('\0')) {
      throw new UsageError(`ROLE: must be the name of a role, 1 to ${LONGEST_ROLE} bytes.`);
    }
    if (!options.apply) {
      process.stdout.write(`BEGIN;\n${grantStatements(role)}COMMIT;\n`);
      return 0;
    }
    if (context.settings().databaseUrl === undefined) {
      throw new UsageError('Set DATABASE_URL; an embedded database has one user, who owns it.');
    }
    await withDatabase(context, ({ orm }) => applyGrants(orm, role));
    process.stdout.write(`${role} has what the service needs.\n`);
    return 0;
  },
});
