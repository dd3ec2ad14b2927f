import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EmbeddedPostgresError, errorCode } from './errors.ts';
import { processToken } from './process-identity.ts';

const ATTEMPTS = 5;
const CLAIM = /^owner-(\d+)-(.+)$/;

export interface OwnerLock {
  release(): Promise<void>;
}

/**
 * Makes this process the only Keyward on a directory, or fails naming the other.
 *
 * Each process puts up a claim of its own, then looks for claims of others that still run. Of two
 * that come together at least one sees the other, so both never own; and a dead process's claim
 * can be removed without a race, because its name is that process's alone.
 */
export async function lockDirectory(directory: string): Promise<OwnerLock> {
  for (let attempt = 1; ; attempt++) {
    const claim = await putUpClaim(directory);
    const other = await findOther(directory, claim);
    if (other === undefined) return { release: () => rm(join(directory, claim), { force: true }) };
    await rm(join(directory, claim), { force: true });
    if (attempt === ATTEMPTS) throw inUse(directory, other);
    // Two that started together both stepped back: unequal pauses let one of them pass.
    await delay(10 + Math.random() * 60);
  }
}

async function putUpClaim(directory: string): Promise<string> {
  const claim = `owner-${process.pid}-${await processToken(process.pid)}`;
  try {
    await writeFile(join(directory, claim), '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw inUse(directory, process.pid);
    throw error;
  }
  return claim;
}

/** The pid of another running claimant; claims of processes that have ended are removed. */
async function findOther(directory: string, own: string): Promise<number | undefined> {
  for (const name of await readdir(directory)) {
    const [, pid, token] = CLAIM.exec(name) ?? [];
    if (pid === undefined || name === own) continue;
    if ((await processToken(Number(pid))) === token) return Number(pid);
    await rm(join(directory, name), { force: true });
  }
  return undefined;
}

function inUse(directory: string, pid: number): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `another Keyward (pid ${pid}) already uses ${directory}; stop it, or set KEYWARD_DATA_DIR to another folder`,
  );
}
