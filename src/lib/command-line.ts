import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** What was typed is not understood; the message is one sentence. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The options of a command. Anything else that was typed is refused. */
export function parseOptions<Options extends ParseArgsOptionsConfig>(
  words: string[],
  options: Options,
) {
  try {
    return parseArgs({ args: words, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    if (!isParseError(error)) throw error;
    const [sentence = ''] = error.message.split(/[.\n]/);
    throw new UsageError(`${sentence}; \`keyward help\` lists the options of each command.`);
  }
}

function isParseError(error: unknown): error is Error {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return String(error.code).startsWith('ERR_PARSE_ARGS');
}
