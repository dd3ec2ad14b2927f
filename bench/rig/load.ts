import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const CHILD = fileURLToPath(new URL('load-child.ts', import.meta.url));
const run = promisify(execFile);

export interface Load {
  url: string;
  authorization: string;
  keys: readonly string[];
  connections: number;
  seconds: number;
}

export interface Measured {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Answers that were not 2xx, and errors of the connection. */
  failed: number;
}

/** Verifies the keys in turn from a process of its own. */
export async function load(wanted: Load): Promise<Measured> {
  const file = join(tmpdir(), `keyward-load-${process.pid}.json`);
  await writeFile(file, JSON.stringify(wanted), { mode: 0o600 });
  const { stdout } = await run(process.execPath, [CHILD, file], { maxBuffer: 1e7 });
  const measured: Measured = JSON.parse(stdout);
  return measured;
}
