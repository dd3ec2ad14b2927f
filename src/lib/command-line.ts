import { parseArgs } from 'node:util';
import { OperatorError } from './operator-error.ts';

/** The command line is not understood. */
export class UsageError extends OperatorError {
  override name = 'UsageError';
}

export interface OptionDeclaration {
  type: 'string' | 'boolean';
  /** The option may be repeated. */
  multiple?: true;
  /** What stands for its value in the help, such as `ID`. */
  value?: string;
  description: string;
}

export type OptionDeclarations = Readonly<Record<string, OptionDeclaration>>;

/** What a command takes from its command line. */
export interface CommandLine<Options extends OptionDeclarations> {
  /** One or two words. */
  name: string;
  /** The one argument, which is required; without it the command takes options alone. */
  argument?: { name: string; description: string };
  options: Options;
}

/** The options of a command, with the types that it declares. */
export type OptionValues<Options extends OptionDeclarations> = ReturnType<
  typeof parseWords<Options>
>['options'];

/** Reads the words after a command's name. Refuses what the command does not declare. */
export function parseWords<Options extends OptionDeclarations>(
  { name, argument, options }: CommandLine<Options>,
  words: readonly string[],
) {
  const { values, positionals } = parseStrictly(name, words, options, argument !== undefined);
  const [first = '', second] = positionals;
  if (argument && positionals.length === 0) {
    throw new UsageError(`Name the ${argument.name}: keyward ${name} ${argument.name}.`);
  }
  if (second !== undefined) throw misunderstood(name, `Unexpected argument '${second}'`);
  return { argument: first, options: values };
}

function parseStrictly<Options extends OptionDeclarations>(
  name: string,
  words: readonly string[],
  options: Options,
  allowPositionals: boolean,
) {
  try {
    const parsed = parseArgs({ args: [...words], options, allowPositionals, tokens: true });
    refuseRepeated(name, options, parsed.tokens);
    return parsed;
  } catch (error) {
    if (!isParseError(error)) throw error;
    const [sentence = ''] = error.message.split(/\.\s/);
    throw misunderstood(name, sentence);
  }
}

/** Of a repeated option only the last value would count. */
function refuseRepeated(
  command: string,
  options: OptionDeclarations,
  tokens: readonly { kind: string; name?: string }[],
): void {
  const given = tokens.flatMap(({ kind, name }) => (kind === 'option' && name ? [name] : []));
  const repeated = given.find((name, at) => !options[name]?.multiple && given.indexOf(name) < at);
  if (repeated) throw misunderstood(command, `--${repeated} is given twice`);
}

function misunderstood(name: string, problem: string): UsageError {
  return new UsageError(`${problem}; \`keyward help ${name}\` lists its options.`);
}

function isParseError(error: unknown): error is Error {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return String(error.code).startsWith('ERR_PARSE_ARGS');
}
