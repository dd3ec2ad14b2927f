import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface LoadOptions {
  url: string;
  path: string;
  authorization: string;
  /** Sent in turn, repeatedly, over whichever connection is next. */
  bodies: readonly string[];
  connections: number;
  seconds: number;
  /** By the clock, over all connections. Without it, each sends as soon as it has its answer. */
  perSecond?: number;
}

export interface Measured {
  requests: number;
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
  /** Answers that said VALID. */
  valid: number;
  /** Answers with another status than 200. */
  refused: number;
}

const LOAD = fileURLToPath(new URL('load.ts', import.meta.url));

export async function measure(options: LoadOptions): Promise<Measured> {
  const child = fork(LOAD, { execArgv: [] });
  const ended = once(child, 'exit').then(() => {
    throw new Error('the load ended without a result');
  });
  child.send(options);
  const [result]: Measured[] = await Promise.race([once(child, 'message'), ended]);
  if (!result) throw new Error('the load sent no result');
  return result;
}
