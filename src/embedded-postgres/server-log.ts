import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from './errors.ts';

const TAIL_BYTES = 4096;
const TAIL_LINES = 8;

/** Keeps the log of this start and of the previous one, so that restarts never fill the disk. */
export async function rotateLog(directory: string): Promise<string> {
  const path = join(directory, 'server.log');
  await rename(path, join(directory, 'server.previous.log')).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
  });
  return path;
}

export async function readLogTail(path: string): Promise<string> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, start);
    const lines = buffer.toString('utf8', 0, bytesRead).trim().split('\n');
    return lines.slice(-TAIL_LINES).join('\n');
  } finally {
    await handle.close();
  }
}
