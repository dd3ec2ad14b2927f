import { constants } from 'node:os';
import { auditPruneCommand } from './audit/prune-command.ts';
import { auditRepairCommand } from './audit/repair-command.ts';
import { auditVerifyCommand } from './audit/verify-command.ts';
import { readConfig } from './config.ts';
import { migrateCommand } from './db/commands.ts';
import { grantsCommand } from './db/grants-command.ts';
import type { CommandContext } from './db/open-for-command.ts';
import { KeywardError } from './errors.ts';
import { importCommand } from './keys/import/command.ts';
import type { Command } from './lib/command.ts';
import { helpOf, overview } from './lib/command-help.ts';
import { explainFileError } from './lib/file-errors.ts';
import { OperatorError } from './lib/operator-error.ts';
import { packageVersion } from './lib/package-version.ts';
import { StopRequest } from './lib/stop.ts';
import { createManagementKeyCommand } from './management/commands.ts';
import { startCommand } from './start.ts';

/** By convention, the exit code of a command that a signal ended is 128 and its number. */
const SIGNALLED = 128;

export const COMMANDS: readonly Command<CommandContext>[] = [
  startCommand,
  migrateCommand,
  grantsCommand,
  auditVerifyCommand,
  auditPruneCommand,
  auditRepairCommand,
  createManagementKeyCommand,
  importCommand,
];

/**
 * Runs one command and resolves to the exit code. An operator's errors are printed in a sentence.
 * @param stop aborted when the process has to end
 */
export async function runCommand(
  words: string[],
  env: NodeJS.ProcessEnv,
  stop: AbortSignal,
): Promise<number> {
  if (words[0] === '--version') return print(`${packageVersion()}\n`);
  if (words[0] === 'help' || words.some(isHelpOption)) return help(words);
  const found = find(words);
  if (!found) return refuse(unknown(words));
  try {
    return await found.command.run(found.rest, { settings: once(() => readConfig(env)), stop });
  } catch (error) {
    if (error instanceof StopRequest) return SIGNALLED + constants.signals[error.signal];
    return refuse(`keyward: ${messageOf(error)}\n`);
  }
}

interface Found {
  command: Command<CommandContext>;
  /** The words after its name. */
  rest: string[];
}

/** A command has one word or two; without any, the service starts. */
function find(words: string[]): Found | undefined {
  if (words.length === 0 || words[0]?.startsWith('-')) {
    return { command: startCommand, rest: words };
  }
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ');
    const command = COMMANDS.find((known) => known.name === name);
    if (command) return { command, rest: words.slice(length) };
  }
  return undefined;
}

function isHelpOption(word: string): boolean {
  return word === '--help' || word === '-h';
}

/** `help`, `help COMMAND` and `COMMAND --help`; also of the first word of several commands. */
function help(words: string[]): number {
  const named = words[0] === 'help' ? words.slice(1) : words;
  const [first, ...rest] = named.filter((word) => !isHelpOption(word));
  if (first === undefined || first === 'help') return print(overview(COMMANDS));
  const found = find([first, ...rest]);
  if (found) return print(helpOf(found.command));
  const group = groupOf(first);
  return group.length > 0 && rest.length === 0 ? print(overview(group)) : refuse(unknown(named));
}

/** The commands of two words that begin with this one, such as `audit`. */
function groupOf(word: string): Command<CommandContext>[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${word} `));
}

function unknown([first = '', second]: readonly string[]): string {
  const group = groupOf(first).map(({ name }) => name);
  const isInGroup = group.length > 0 && second !== undefined;
  const name = isInGroup ? `${first} ${second}` : first;
  const hint = group.length > 0 ? `known: ${group.join(', ')}` : '`keyward help` lists them';
  return `keyward: There is no command ${name}; ${hint}.\n`;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function refuse(text: string): number {
  process.stderr.write(text);
  return 1;
}

/** Anything else is a bug, and ends the process with its stack trace. */
function messageOf(error: unknown): string {
  if (error instanceof KeywardError) return error.detail;
  if (error instanceof OperatorError) return error.message;
  const fileProblem = explainFileError(error);
  if (fileProblem !== null) return fileProblem;
  throw error;
}

/** Reading the settings takes the secrets out of the environment, so it happens once. */
function once<T>(read: () => T): () => T {
  let result: { value: T } | null = null;
  return () => {
    result ??= { value: read() };
    return result.value;
  };
}
