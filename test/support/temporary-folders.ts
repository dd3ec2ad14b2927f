import { readFileSync, statfsSync } from 'node:fs';

const SHARED_MEMORY = '/dev/shm';
/** Several times what a run has there at any moment. */
const ROOM_BYTES = 4 * 1024 ** 3;

/**
 * Keeps the databases of the tests in memory where Linux offers it, unless TMPDIR says otherwise:
 * on a disk, each start waits for the copy of its data folder to be written.
 */
export function keepTemporaryFoldersInMemory(): void {
  if (process.platform === 'linux' && hasRoom()) process.env.TMPDIR ??= SHARED_MEMORY;
}

/** In a container it may be small, or refuse programs. */
function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(SHARED_MEMORY);
    const mounts = readFileSync('/proc/mounts', 'utf8');
    return bavail * bsize > ROOM_BYTES && /^\S+ \/dev\/shm tmpfs (?!\S*noexec)/m.test(mounts);
  } catch {
    return false;
  }
}
