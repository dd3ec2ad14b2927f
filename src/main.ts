#!/usr/bin/env node
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { listenForStop } from './lib/stop.ts';

/** The entry of the process. No other file reads its environment. */
// Before everything else is loaded: as process 1 of a container, nothing else acts on a signal.
const stop = listenForStop();
try {
  const { runCommand } = await import('./cli.ts');
  // Signals that arrived meanwhile are told in the event loop's next turn.
  await nextTurn();
  process.exitCode = await runCommand(process.argv.slice(2), process.env, stop);
} catch (error) {
  process.stderr.write(`${inspect(error)}\n`);
  process.exitCode = 1;
}
// What was interrupted or has failed may still hold connections. Output goes out first.
process.stdout.write('', () => process.exit());
