import { type MockInstance, vi } from 'vitest';
import { runCommand } from '../../src/cli.ts';

export interface CommandOutcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command of the program in this process: much faster than starting the program for it. */
export async function runInProcess(
  args: string[],
  settings: Record<string, string>,
): Promise<CommandOutcome> {
  const stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    const code = await runCommand(args, { ...settings }, new AbortController().signal);
    return { code, stdout: textOf(stdout), stderr: textOf(stderr) };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

function textOf({ mock }: MockInstance<typeof process.stdout.write>): string {
  return mock.calls.map(([text]) => String(text)).join('');
}
