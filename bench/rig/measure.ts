import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface LoadOptions {
  url: string;
  authorization: string;
  /** The bodies that each connection sends, one after the other and again. */
  bodies: string[];
  connections: number;
  seconds: number;
}

export interface Measured {
  requests: number;
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
}

const LOAD = fileURLToPath(new URL('load.ts', import.meta.url));

export async function measure(options: LoadOptions): Promise<Measured> {
  const child = fork(LOAD);
  const ended = once(child, 'exit').then(() => {
    throw new Error('the load ended without a result');
  });
  child.send(options);
  const [result]: Measured[] = await Promise.race([once(child, 'message'), ended]);
  if (!result) throw new Error('the load sent no result');
  return result;
}
