import { runCommand } from './cli.ts';

// The reader of a pipe may stop reading, as `head` does: the command goes on without it.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

/** The start of the process. No other file reads its environment. */
process.exitCode = await runCommand(process.argv.slice(2), process.env);
