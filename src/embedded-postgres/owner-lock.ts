import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DirectoryInUseError, errorCode } from './errors.ts';
import { processToken } from './process-identity.ts';

const ATTEMPTS = 5;
const CLAIM = /^owner-(\d+)-(.+)$/;

export interface OwnerLock {
  release(): Promise<void>;
}

/**
 * Makes this process the only Keyward on a directory, or fails and names the other.
 *
 * Each process writes a claim file, then looks for the claims of other running processes. Of two
 * that start together at least one sees the other, so they never both succeed. A dead process'
 * claim is removed without a race, because no other process has a claim of that name.
 */
export async function lockDirectory(directory: string): Promise<OwnerLock> {
  for (let attempt = 1; ; attempt++) {
    const claim = await writeClaim(directory);
    const other = await findOther(directory, claim);
    if (other === undefined) return { release: () => rm(join(directory, claim), { force: true }) };
    await rm(join(directory, claim), { force: true });
    if (attempt === ATTEMPTS) throw inUse(directory, other);
    // Two that started together have both withdrawn: unequal pauses let one of them succeed.
    await delay(10 + Math.random() * 60);
  }
}

async function writeClaim(directory: string): Promise<string> {
  const claim = `owner-${process.pid}-${await processToken(process.pid)}`;
  try {
    await writeFile(join(directory, claim), '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw inUse(directory, process.pid);
    throw error;
  }
  return claim;
}

/** The pid of another running process with a claim. Removes claims of processes that ended. */
async function findOther(directory: string, own: string): Promise<number | undefined> {
  for (const name of await readdir(directory)) {
    const [, pid, token] = CLAIM.exec(name) ?? [];
    if (pid === undefined || name === own) continue;
    if ((await processToken(Number(pid))) === token) return Number(pid);
    await rm(join(directory, name), { force: true });
  }
  return undefined;
}

function inUse(directory: string, pid: number): DirectoryInUseError {
  return new DirectoryInUseError(
    `another Keyward (pid ${pid}) already uses ${directory}; stop it, or set KEYWARD_DATA_DIR to another folder`,
  );
}
