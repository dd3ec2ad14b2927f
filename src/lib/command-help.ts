import type { Command } from './command.ts';
import type { OptionDeclaration } from './command-line.ts';

type Documented = Omit<Command<never>, 'run'>;

/** All commands, a line for each. */
export function overview(commands: readonly Documented[]): string {
  const rows = commands.map((command): Row => [headingOf(command), command.summary]);
  rows.push(['help [COMMAND]', 'list the commands, or the options of one']);
  return [
    'Usage: keyward [COMMAND] [OPTIONS]',
    '',
    ...table(rows),
    '',
    '`keyward --version` prints the version. docs/reference/settings.md lists the settings.',
    '',
  ].join('\n');
}

/** One command with its argument and options. */
export function helpOf(command: Documented): string {
  const { argument, summary } = command;
  const options = Object.entries(command.options).map(optionRow);
  const rows: Row[] = [...(argument ? [[argument.name, argument.description] as const] : [])];
  const usage = `Usage: keyward ${headingOf(command)}${options.length > 0 ? ' [OPTIONS]' : ''}`;
  const details = table([...rows, ...options]);
  return [
    usage,
    '',
    `${capitalize(summary)}.`,
    ...(details.length > 0 ? [''] : []),
    ...details,
    '',
  ].join('\n');
}

type Row = readonly [heading: string, description: string];

function headingOf({ name, argument }: Documented): string {
  return argument ? `${name} ${argument.name}` : name;
}

function optionRow([name, { value, multiple, description }]: [string, OptionDeclaration]): Row {
  const heading = value === undefined ? `--${name}` : `--${name} ${value}`;
  return [heading, multiple ? `${description}; repeatable` : description];
}

/** Two columns; a heading that is wider than its column has a line of its own. */
function table(rows: readonly Row[]): string[] {
  const width = 24;
  return rows.flatMap(([heading, description]) =>
    heading.length < width - 1
      ? [`  ${heading.padEnd(width)}${description}`]
      : [`  ${heading}`, `  ${' '.repeat(width)}${description}`],
  );
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
