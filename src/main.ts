import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { listenForStop } from './lib/stop.ts';

/** The start of the process. No other file reads its environment. */
// Before everything else is loaded: as process 1 of a container, nothing else acts on a signal.
const stop = listenForStop(['start', 'npx'].includes(process.env.npm_lifecycle_event ?? ''));
// The reader of a pipe may stop reading, as `head` does: the command goes on without it.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
const { runCommand } = await import('./cli.ts');
try {
  // Signals that arrived meanwhile are told in the event loop's next turn.
  await nextTurn();
  process.exitCode = await runCommand(process.argv.slice(2), process.env, stop);
} catch (error) {
  process.stderr.write(`${inspect(error)}\n`);
  process.exitCode = 1;
}
// What was interrupted or has failed may still hold connections. Output goes out first.
process.stdout.write('', () => process.exit());
