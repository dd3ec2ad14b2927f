import { readdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { servingPid } from '../../src/db/embedded/leftovers.ts';
import { servesData } from '../../src/db/embedded/process-identity.ts';

/** Ends the Postgres servers of tests that were killed, and removes what they wrote. */
export async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const directory = join(folder, name, 'postgres');
    const pid = await servingPid(directory);
    if (pid === undefined) continue;
    const data = await realpath(join(directory, 'data'));
    if (await servesData(pid, data)) process.kill(pid, 'SIGQUIT');
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
