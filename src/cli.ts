import { randomUUID } from 'node:crypto';
import { UnkeyedLogError } from './audit/append.ts';
import type { AuditOrigin } from './audit/chain.ts';
import { parsePruneArgs, parseVerifyArgs, pruneLogs, verifyLogs } from './audit/commands.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { Pepper } from './credentials/pepper.ts';
import { DatabaseVersionError, migrate, PendingMigrationsError } from './db/migrate.ts';
import { DatabaseUnreachableError, explainDatabase } from './db/open.ts';
import { withDatabase } from './db/open-for-command.ts';
import { EmbeddedPostgresError } from './embedded-postgres/postgres.ts';
import { KeywardError } from './errors.ts';
import { importFile, parseImportArgs } from './keys/import/command.ts';
import { parseOptions, UsageError } from './lib/command-line.ts';
import { createManagementKey, parseManagementKeyArgs } from './management/commands.ts';
import { StartError, start } from './start.ts';

/** A command answers with the process' exit code. */
type Command = (config: () => Config, words: string[]) => Promise<number>;

const COMMANDS = new Map<string, Command>(
  Object.entries({
    start: startCommand,
    migrate: migrateCommand,
    'audit verify': verifyCommand,
    'audit prune': pruneCommand,
    'management-key create': managementKeyCommand,
    import: importCommand,
  }),
);

const HELP = `Usage: keyward [command] [options]

  start                   run the service (the default)

  migrate                 bring the schema of DATABASE_URL up to date, then end

  audit verify            say whether the audit logs are what was written (exit code 0), or where
                          they break or were cut (1)
    --workspace ID          only this one's
    --expect [WORKSPACE:]SEQUENCE:HASH
                            the log must have this head, as GET /v1/audit-events/head gave it;
                            repeatable
    --former-secret-file F  holds a KEYWARD_SECRET of the past; repeatable
    --allow-unkeyed         take entries that were written without KEYWARD_SECRET

  audit prune             drop the oldest entries of the audit logs, and leave a checkpoint
    --before TIME           those from before this time
    --workspace ID          only this one's

  management-key create   make a management key; prints it once
    --name NAME             what people call it
    --permissions A,B       what it may do; all by default
    --workspace ID          where; everywhere by default

  import FILE             take over keys of another system by their digests, from a file of JSON
                          lines (.jsonl) or CSV (.csv); docs/import.md has its fields
    --workspace ID          whose; default by default
    --report FILE           keeps what became of each line, and how far it came: run again with it
                            to go on where it was interrupted

  help                    this

Settings are environment variables; the README lists them.
`;

const EXPECTED = [
  ConfigError,
  DatabaseUnreachableError,
  DatabaseVersionError,
  EmbeddedPostgresError,
  PendingMigrationsError,
  StartError,
  UnkeyedLogError,
  UsageError,
];

/** Runs one command. What an operator can mend is said in a sentence, without a stack trace. */
export async function runCommand(words: string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (words[0] === 'help' || words.some((word) => word === '--help' || word === '-h')) {
    process.stdout.write(HELP);
    return 0;
  }
  const [command, rest] = find(words);
  if (!command) {
    process.stderr.write(HELP);
    return 1;
  }
  try {
    return await command(() => readConfig(env), rest);
  } catch (error) {
    process.stderr.write(`keyward: ${sentence(error)}\n`);
    return 1;
  }
}

/** A command of two words, of one, or none at all, and what follows it. */
function find(words: string[]): [Command | undefined, string[]] {
  if (words.length === 0 || words[0]?.startsWith('-')) return [COMMANDS.get('start'), words];
  const [one = '', two] = words;
  const pair = COMMANDS.get(`${one} ${two}`);
  return pair ? [pair, words.slice(2)] : [COMMANDS.get(one), words.slice(1)];
}

function sentence(error: unknown): string {
  if (error instanceof KeywardError) return error.detail;
  if (error instanceof Error && EXPECTED.some((type) => error instanceof type)) {
    return error.message;
  }
  throw error;
}

async function startCommand(config: () => Config, words: string[]): Promise<number> {
  parseOptions(words, {});
  return start(config());
}

async function migrateCommand(config: () => Config, words: string[]): Promise<number> {
  parseOptions(words, {});
  const { databaseUrl } = config();
  if (databaseUrl === undefined) {
    throw new ConfigError('DATABASE_URL: is needed; an embedded database migrates when it starts');
  }
  await migrate(databaseUrl).catch((error) => {
    throw explainDatabase(error);
  });
  process.stdout.write('The schema is up to date.\n');
  return 0;
}

async function verifyCommand(config: () => Config, words: string[]): Promise<number> {
  const wish = parseVerifyArgs(words);
  const intact = await withDatabase(config(), ({ orm, secret }) =>
    verifyLogs({ orm, pepper: pepperOf(secret) }, wish),
  );
  return intact ? 0 : 1;
}

async function pruneCommand(config: () => Config, words: string[]): Promise<number> {
  const wish = parsePruneArgs(words);
  await withDatabase(config(), ({ orm, secret }) =>
    pruneLogs({ orm, pepper: pepperOf(secret) }, wish, operator()),
  );
  return 0;
}

async function managementKeyCommand(config: () => Config, words: string[]): Promise<number> {
  const wish = parseManagementKeyArgs(words);
  const settings = config();
  await withDatabase(settings, ({ orm, secret }) =>
    createManagementKey(
      { orm, pepper: pepperOf(secret), argon2: settings.argon2 },
      wish,
      operator(),
    ),
  ).catch(pointToRootKey);
  return 0;
}

async function importCommand(config: () => Config, words: string[]): Promise<number> {
  const wish = parseImportArgs(words);
  const areAllFit = await withDatabase(config(), ({ orm, secret }) =>
    importFile({ orm, pepper: pepperOf(secret) }, wish, operator()),
  );
  return areAllFit ? 0 : 1;
}

/** The embedded database belongs to one process at a time; a running one is asked by its API. */
function pointToRootKey(error: unknown): never {
  if (!(error instanceof EmbeddedPostgresError)) throw error;
  throw new EmbeddedPostgresError(
    `${error.message}; while it runs, use its root key, which is in the file root-key of KEYWARD_DATA_DIR`,
  );
}

/** Who sits at the command line: whoever has access to the database. */
function operator(): AuditOrigin {
  const actor = { type: 'system', id: 'cli', onBehalfOf: null } as const;
  return { actor, requestId: `cli_${randomUUID()}`, ip: null };
}

function pepperOf(secret: string | undefined): Pepper | null {
  return secret === undefined ? null : new Pepper(secret);
}
