import { type Config, ConfigError, readConfig } from './config.ts';
import { EmbeddedPostgresError } from './db/embedded/postgres.ts';
import { DatabaseVersionError, migrate } from './db/migrate.ts';
import { DatabaseUnreachableError } from './db/open.ts';
import { StartError, start } from './start.ts';

/** A command answers with the process' exit code. */
type Command = (config: Config, words: string[]) => Promise<number>;

const COMMANDS: Record<string, Command> = {
  start: (config) => start(config),
  migrate: migrateCommand,
};

const HELP = `Usage: keyward [command]

  start      run the service (the default)
  migrate    bring the schema of DATABASE_URL up to date, then end

Settings are environment variables; the README lists them.
`;

const EXPECTED = [
  ConfigError,
  DatabaseUnreachableError,
  DatabaseVersionError,
  EmbeddedPostgresError,
  StartError,
];

/** Runs one command. What an operator can mend is said in a sentence, without a stack trace. */
export async function runCommand(words: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [name = 'start', ...rest] = words;
  const command = COMMANDS[name];
  if (!command) {
    const wanted = name === 'help' || name === '--help';
    (wanted ? process.stdout : process.stderr).write(HELP);
    return wanted ? 0 : 1;
  }
  try {
    return await command(readConfig(env), rest);
  } catch (error) {
    if (!(error instanceof Error) || !EXPECTED.some((type) => error instanceof type)) throw error;
    process.stderr.write(`keyward: ${error.message}\n`);
    return 1;
  }
}

async function migrateCommand(config: Config): Promise<number> {
  if (config.databaseUrl === undefined) {
    throw new ConfigError('DATABASE_URL: is needed; an embedded database migrates when it starts');
  }
  await migrate(config.databaseUrl);
  process.stdout.write('The schema is up to date.\n');
  return 0;
}
