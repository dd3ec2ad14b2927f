import {
  type CommandLine,
  type OptionDeclarations,
  type OptionValues,
  parseWords,
} from './command-line.ts';

interface CommandDeclaration<Context, Options extends OptionDeclarations>
  extends CommandLine<Options> {
  /** Completes "keyward NAME: …", in a line of the overview. */
  summary: string;
  /** Resolves to the exit code of the process. */
  run: (
    input: { argument: string; options: OptionValues<Options> },
    context: Context,
  ) => Promise<number>;
}

/** A declared command, ready to be run. */
export interface Command<Context, Options extends OptionDeclarations = OptionDeclarations>
  extends CommandLine<Options> {
  summary: string;
  /** Takes the words after its name. Resolves to the exit code of the process. */
  run: (words: readonly string[], context: Context) => Promise<number>;
}

/** Declares a command; its options are parsed, typed and listed in the help as declared. */
export function defineCommand<Context, const Options extends OptionDeclarations>(
  declaration: CommandDeclaration<Context, Options>,
): Command<Context, Options> {
  return {
    ...declaration,
    run: async (words, context) => declaration.run(parseWords(declaration, words), context),
  };
}
