import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/**
 * The options of a program, for `parseArgs`. With `--help`, or with one that does not exist, the program
 * ends and says which it has.
 */
export function explained<Options extends ParseArgsOptionsConfig>(options: Options): Options {
  try {
    parseArgs({ options });
    return options;
  } catch (error) {
    const isAsked = process.argv.includes('--help');
    if (!isAsked) process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.stderr.write(`Usage: node ${relativeName()} ${usageOf(options)}\n`);
    process.exit(isAsked ? 0 : 2);
  }
}

function usageOf(options: ParseArgsOptionsConfig): string {
  return Object.entries(options)
    .map(([name, { type }]) => (type === 'boolean' ? `[--${name}]` : `[--${name} …]`))
    .join(' ');
}

function relativeName(): string {
  return (process.argv[1] ?? '').replace(`${process.cwd()}/`, '');
}
