import { runCommand } from './cli.ts';

/** The entry of the process. No other file reads its environment. */
process.exitCode = await runCommand(process.argv.slice(2), process.env);
