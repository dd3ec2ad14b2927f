import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { servingPid } from '../../src/embedded-postgres/leftovers.ts';
import { servesData } from '../../src/embedded-postgres/process-identity.ts';

/** Ends the Postgres servers of tests that were killed themselves. */
export async function endServersIn(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const directory = join(folder, name, 'postgres');
    const pid = await servingPid(directory);
    if (pid === undefined) continue;
    const data = await realpath(join(directory, 'data'));
    if (await servesData(pid, data)) process.kill(pid, 'SIGQUIT');
  }
}
