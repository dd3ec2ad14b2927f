#!/usr/bin/env node
import { runCommand } from './cli.ts';

/** The process entry, and the only reader of its environment. */
process.exitCode = await runCommand(process.argv.slice(2), process.env);
